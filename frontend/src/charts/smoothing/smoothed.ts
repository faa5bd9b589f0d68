/** The columns of a smoothed curve. */

import { bisectLeft } from "d3-array";
import { alikeUpTo, NO_TRACK, Past, roomier, type Track } from "../track";

export class Smoothed {
  #raw: Track = NO_TRACK;
  #out: Track = NO_TRACK;
  y = new Float64Array(0);

  /** What was smoothed last; null where the curve is the same still. */
  earlier(track: Track): { readonly alike: number; readonly index: number } | null {
    if (track === this.#raw) return null;
    const alike = alikeUpTo(this.#raw, track);
    const index = alike === -Infinity ? 0 : bisectLeft(track.x, alike, 0, track.length);
    if (this.y.length < track.length) this.y = roomier(this.y, track.length);
    return { alike, index };
  }

  get out(): Track {
    return this.#out;
  }

  /** Take the curve that `y` was filled for, which is new from a place on. */
  take(track: Track, place: number): Track {
    const past = place === -Infinity || this.#out === NO_TRACK ? new Past() : this.#out.past;
    this.#raw = track;
    const { x, length } = track;
    return (this.#out = { x, y: this.y.subarray(0, length), length, past, revision: past.note(place) });
  }
}
