/** What is told of a thing that the pointer rests on, written only then. */
export function titled(words: () => string): (node: HTMLElement) => () => void {
  return (node) => {
    const tell = (): void => {
      node.title = words();
    };
    node.addEventListener("pointerenter", tell);
    return () => node.removeEventListener("pointerenter", tell);
  };
}
