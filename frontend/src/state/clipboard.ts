/** Copying: a browser gives its clipboard to pages of this machine, and to those that come by TLS, only. */

/** Copy a text; tells whether it could be. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

/** The way of before there was a clipboard to write to: select the text somewhere, and copy what is selected. */
function copySelected(text: string): boolean {
  const focused = document.activeElement;
  // What lies over the page, as a dialog does, leaves nothing else to be selected.
  const root = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  const area = document.createElement("textarea");
  area.value = text;
  area.style.cssText = "position: fixed; top: 0; opacity: 0";
  root.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return copied;
}
