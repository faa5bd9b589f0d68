/** How many columns a grid of pictures has. */

const GAP = 3;
const LEAST = 18;

export interface Tiles {
  readonly columns: number;
  /** The size of one picture, in pixels. */
  readonly width: number;
  readonly height: number;
}

/** Lay `count` pictures of one shape (height by width) into a room, as large as all of them fit; then they scroll. */
export function tiles(count: number, shape: number, room: { readonly width: number; readonly height: number }, most: number): Tiles {
  let best: Tiles = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const wide = (room.width - GAP * (columns - 1)) / columns;
    const high = (room.height - GAP * (rows - 1)) / rows / shape;
    const width = Math.floor(Math.min(wide, high, most));
    if (width > best.width) best = { columns, width, height: Math.max(1, Math.round(width * shape)) };
    if (wide < best.width) break;
  }
  if (best.width >= LEAST) return best;
  const width = Math.min(LEAST, Math.floor(room.width));
  return { columns: Math.max(1, Math.floor((room.width + GAP) / (width + GAP))), width, height: Math.max(1, Math.round(width * shape)) };
}
