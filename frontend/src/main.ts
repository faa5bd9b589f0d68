import { mount } from "svelte";
import App from "./App.svelte";
import "./design/tokens.css";
import "./design/base.css";
import "./design/controls.css";
import { session } from "./opening";

/** So long the page waits for what it is to show; then it says that it is reading. */
const PATIENCE_MS = 150;

function waited(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
}

/** Fulfilled once what was made is drawn; of a hidden page nothing is. */
function drawn(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

async function begin(): Promise<void> {
  // To make the page once with all that stands on it takes half as long as to make it empty first.
  await Promise.race([session.opened, waited()]);
  mount(App, { target: document.body });
  await Promise.race([drawn(), waited()]);
  session.connect();
}

void begin();
