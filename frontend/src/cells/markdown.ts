/** Markdown as elements. Each is made by name, so that nothing in a text can become HTML that was not meant. */

import { lexer, type Token, type Tokens } from "marked";

/** Addresses that a link of a text may have. */
const SAFE = /^(https?:|mailto:|#)/i;

/** Make the elements of a text. HTML in it is shown as it is written, and pictures as links: a text loads nothing. */
export function markdown(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  fragment.append(...blocks(lexer(text)));
  return fragment;
}

function element(name: string, children: readonly (Node | string)[], attributes: Readonly<Record<string, string>> = {}): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function blocks(tokens: readonly Token[]): (Node | string)[] {
  return tokens.flatMap((token) => block(token as Tokens.Generic));
}

function block(token: Tokens.Generic): (Node | string)[] {
  const inner = (): (Node | string)[] => inlines(token.tokens ?? []);
  switch (token.type) {
    case "heading":
      // The page's own titles go before: a text's begin below them.
      return [element(`h${Math.min(6, 2 + Number((token as Tokens.Heading).depth))}`, inner())];
    case "paragraph":
      return [element("p", inner())];
    case "text":
      return token.tokens === undefined ? [unescaped(String(token["text"]))] : inner();
    case "code":
      return [element("pre", [element("code", [String(token["text"])])], { tabindex: "0" })];
    case "blockquote":
      return [element("blockquote", blocks(token.tokens ?? []))];
    case "list":
      return [list(token as Tokens.List)];
    case "table":
      return [table(token as Tokens.Table)];
    case "hr":
      return [element("hr", [])];
    case "space":
    case "def":
      return [];
    default:
      return [element("p", [token.raw])];
  }
}

function list(token: Tokens.List): HTMLElement {
  const items = token.items.map((item) =>
    element("li", [...(item.task ? [item.checked ? "☑ " : "☐ "] : []), ...blocks(item.tokens.filter((each) => each.type !== "checkbox"))]),
  );
  return element(token.ordered ? "ol" : "ul", items, token.ordered && typeof token.start === "number" ? { start: String(token.start) } : {});
}

function table(token: Tokens.Table): HTMLElement {
  const row = (cells: readonly Tokens.TableCell[], name: string): HTMLElement =>
    element("tr", cells.map((cell) => element(name, inlines(cell.tokens), cell.align === null ? {} : { class: cell.align })));
  const body = token.rows.map((cells) => row(cells, "td"));
  return element("div", [element("table", [element("thead", [row(token.header, "th")]), element("tbody", body)])], {
    class: "scrolls",
    tabindex: "0",
    role: "region",
    "aria-label": "a table",
  });
}

function inlines(tokens: readonly Token[]): (Node | string)[] {
  return tokens.flatMap((token) => inline(token as Tokens.Generic));
}

const MARKS: Readonly<Record<string, string>> = { strong: "strong", em: "em", del: "del" };

function inline(token: Tokens.Generic): (Node | string)[] {
  const mark = MARKS[token.type];
  if (mark !== undefined) return [element(mark, inlines(token.tokens ?? []))];
  switch (token.type) {
    case "codespan":
      return [element("code", [unescaped(String(token["text"]))])];
    case "br":
      return [element("br", [])];
    case "link":
      return [link(String(token["href"]), inlines(token.tokens ?? []))];
    case "image":
      return [link(String(token["href"]), [String(token["text"]) || String(token["href"])])];
    case "text":
      return token.tokens === undefined ? [unescaped(String(token["text"]))] : inlines(token.tokens);
    case "escape":
      return [String(token["text"])];
    default:
      return [token.raw];
  }
}

function link(href: string, children: readonly (Node | string)[]): Node {
  if (!SAFE.test(href)) return element("span", children);
  return element("a", children, { href, target: "_blank", rel: "noopener noreferrer" });
}

const ENTITIES: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };

/** The lexer escapes some texts for HTML, which these are not. */
function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity] ?? entity);
}
