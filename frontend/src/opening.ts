/** What the page is begun with: there is one of each, and both are at work before anything is to be seen. */

import { Session } from "./state/session.svelte";
import { View } from "./state/view.svelte";

export const view = new View();
export const session = new Session();
session.held = () => view.close;
session.preferred = () => view.of;
session.lay(view.overlays); // at once: they are read as soon as it is known what is shown
