/** What is in view, or soon will be: one observer for all that is asked of it. */

const heard = new WeakMap<Element, (is: boolean) => void>();

let observer: IntersectionObserver | undefined;

/** Hear whether something comes near the part of the page that is in view, or leaves it; call what is returned to end it. */
export function near(node: Element, tell: (is: boolean) => void): () => void {
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) heard.get(target)?.(isIntersecting);
    },
    { rootMargin: "300px 0px" },
  );
  heard.set(node, tell);
  observer.observe(node);
  return () => {
    heard.delete(node);
    observer?.unobserve(node);
  };
}
