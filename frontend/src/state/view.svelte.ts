/** The user's view: what is set, shared by all charts and cells, kept in the address, with steps back and forth. */

// Its maps and sets are read as they are: what changes is the record above them.
/* eslint-disable svelte/prefer-svelte-reactivity */
import { addressOf } from "./address";
import { readFragment, writeFragment } from "./fragment";
import { History, type Act } from "./history";
import {
  alike,
  DEFAULTS,
  eachChart,
  entered,
  entry,
  lasting,
  ofRun,
  settingsOf,
  toggled,
  withChart,
  without,
  withRun,
  type AxisKind,
  type CellLook,
  type ChartSettings,
  type FigureZoom,
  type Outlook,
  type ScaleKind,
  type Scrolled,
  type Smoothing,
  type ThemeChoice,
} from "./outlook";
import { pace } from "./pace";
import { forget, recall, remember } from "./storage";

export type { AxisKind, ChartSettings, Interval, Outlook, ScaleKind, Smoothing, ThemeChoice, Zoom } from "./outlook";

/** A browser takes no more than about three changes of the address a second. */
const WRITE_MS = 350;
const THEME = "agnez-theme";
const OF_A_PROJECT = "agnez-view/";

/** Names the run whose zoom a fragment speaks of: `/` alone shows whatever is newest. */
const OF = "of=";

export class View {
  /** The place on the x axis that the cursor is at, in the axis' unit. It is nobody's setting, and not kept. */
  hover = $state<number | null>(null);

  /** What the user is told of what was done just now, for a moment. */
  told = $state<string | null>(null);

  #now = $state.raw<Outlook>(DEFAULTS);
  #steps = $state(0);
  readonly #history = new History<Outlook>();
  #unknown: readonly string[] = [];
  /** The address' query when its fragment was read: that fragment is of the run that it names. */
  #said: string | null = null;
  /** The run that the fragment speaks of, where the query names none. */
  #of: string | null = null;
  #run = $state.raw<string | null | undefined>(undefined);
  #project: string | null = null;
  /** What was set of runs that were shown before: who comes back finds it again. */
  readonly #left = new Map<string | null, Partial<Outlook>>();
  readonly #settings = new Map<string, ChartSettings>();
  readonly #writing = pace(() => WRITE_MS);

  /** The key of the cell that the page is on its way to: it is made, however far away. */
  aim = $state.raw<string | null>(null);

  constructor() {
    this.#read(location.hash);
    window.addEventListener("popstate", () => this.#follow());
    window.addEventListener("pagehide", () => this.#writing.flush());
    window.addEventListener("beforeunload", () => this.#writing.flush());
  }

  // Each changes only when it does itself: what follows from it is not done again for every other setting.
  readonly #linked = $derived(this.#now.linked);
  readonly #pins = $derived(this.#now.pins);
  readonly #x = $derived(this.#now.x);
  readonly #smoothing = $derived(this.#now.smoothing);
  readonly #scale = $derived(this.#now.scale);
  readonly #robust = $derived(this.#now.robust);
  readonly #followed = $derived(this.#now.follow);
  readonly #overlays = $derived(this.#now.overlays);
  readonly #hiddenList = $derived(this.#now.hidden);
  readonly #hidden = $derived<ReadonlySet<string>>(new Set(this.#hiddenList));
  readonly #filter = $derived(this.#now.filter);
  readonly #search = $derived(this.#now.search);
  readonly #collapsedList = $derived(this.#now.collapsed);
  readonly #collapsed = $derived<ReadonlySet<string>>(new Set(this.#collapsedList));
  readonly #pinned = $derived(this.#now.pinned);
  readonly #open = $derived(this.#now.open);
  readonly #theme = $derived(this.#now.theme);
  readonly #views = $derived(this.#now.views);
  readonly #sliders = $derived(this.#now.sliders);
  readonly #figures = $derived(this.#now.figures);

  /** Whether a range selected in one chart applies to all. */
  get linked(): boolean {
    return this.#linked;
  }
  /** Places on the x axis that stay marked. */
  get pins(): readonly number[] {
    return this.#pins;
  }
  get x(): AxisKind {
    return this.#x;
  }
  get smoothing(): Smoothing {
    return this.#smoothing;
  }
  get scale(): ScaleKind {
    return this.#scale;
  }
  get robust(): boolean {
    return this.#robust;
  }
  get follow(): boolean {
    return this.#followed;
  }
  /** The ids of the runs that are laid over the charts. */
  get overlays(): readonly string[] {
    return this.#overlays;
  }
  /** The ids of the runs whose lines are switched off. */
  get hidden(): ReadonlySet<string> {
    return this.#hidden;
  }
  /** The filter of the list of runs. */
  get filter(): string {
    return this.#filter;
  }
  /** The filter of the metrics. */
  get search(): string {
    return this.#search;
  }
  /** The sections that are folded. */
  get collapsed(): ReadonlySet<string> {
    return this.#collapsed;
  }
  /** The keys of the cells that stand on top; `keyOf` makes a key of a cell's id. */
  get pinned(): readonly string[] {
    return this.#pinned;
  }
  /** The key of the cell that fills the screen. */
  get open(): string | null {
    return this.#open;
  }
  get theme(): ThemeChoice {
    return this.#theme;
  }
  get scroll(): Scrolled {
    return this.#now.scroll;
  }
  /** Whether anything is set but the colours and the scroll. */
  get touched(): boolean {
    return !alike({ ...this.#now, theme: "system", scroll: DEFAULTS.scroll }, DEFAULTS);
  }
  /** Whether something of the shown run is looked at closely: a part, a place, one cell, one step. */
  get close(): boolean {
    return !alike({ ...ofRun(this.#now), scroll: DEFAULTS.scroll }, ofRun(DEFAULTS));
  }
  /** The run that the address speaks of, where its query names none. */
  get of(): string | null {
    return this.#of;
  }
  get canUndo(): boolean {
    return (void this.#steps, this.#history.canUndo);
  }
  get canRedo(): boolean {
    return (void this.#steps, this.#history.canRedo);
  }

  /** What a cell is called here: the same in every run of a project, whose cells bear the run before their own word. */
  keyOf(cell: string): string {
    return typeof this.#run === "string" && cell.startsWith(`${this.#run}.`) ? cell.slice(this.#run.length + 1) : cell;
  }

  /** The settings that a chart is drawn by: the same object as long as they are the same. */
  chart(cell: string): ChartSettings {
    const key = this.keyOf(cell);
    const now = settingsOf(this.#now, key);
    const before = this.#settings.get(key);
    if (before !== undefined && sameSettings(before, now)) return before;
    this.#settings.set(key, now);
    return now;
  }

  /** Tell whether a chart has a setting of its own. */
  own(cell: string): Partial<ChartSettings> {
    return entry(this.#now.charts, this.keyOf(cell)) ?? {};
  }

  /** Set what one chart has of its own; the zoom of linked charts is that of all, but of one that stands `alone`. */
  setChart(cell: string, patch: Partial<ChartSettings>, alone = false): void {
    this.change(withChart(this.#now, this.keyOf(cell), patch, alone), `${cell} ${Object.keys(patch).join(" ")}`);
  }

  /** Let a chart be drawn as all are. */
  resetChart(cell: string): void {
    this.change({ ...this.#now, charts: entered(this.#now.charts, this.keyOf(cell), null) }, `${cell} reset`);
  }

  /** How a cell is shown; null where the user did not choose. */
  cellView(cell: string): CellLook | null {
    return entry(this.#views, this.keyOf(cell)) ?? null;
  }

  setCellView(cell: string, view: CellLook | null): void {
    this.set({ views: entered(this.#now.views, this.keyOf(cell), view) });
  }

  /** Where the slider of a cell stands; null where it follows the newest. */
  slider(cell: string): number | null {
    return entry(this.#sliders, this.keyOf(cell)) ?? null;
  }

  setSlider(cell: string, at: number | null): void {
    this.set({ sliders: entered(this.#now.sliders, this.keyOf(cell), at) }, `slide ${cell}`);
  }

  /** What the figure of a cell is zoomed to; null for all of it. */
  figure(cell: string): FigureZoom | null {
    return entry(this.#figures, this.keyOf(cell)) ?? null;
  }

  setFigure(cell: string, zoom: FigureZoom | null): void {
    this.set({ figures: entered(this.#now.figures, this.keyOf(cell), zoom) }, `figure ${cell}`);
  }

  /** Set some of the view; `kind` names what is one step where it comes in a burst. */
  set(patch: Partial<Outlook>, kind: string = Object.keys(patch).sort().join(" ")): void {
    this.change({ ...this.#now, ...patch }, kind);
  }

  /** Lay a run over the charts, or take it away. */
  toggleOverlay(run: string): void {
    this.set({ overlays: toggled(this.overlays, run) }, `over ${run}`);
  }

  /** Switch the lines of a run off, or on again. */
  toggleHidden(run: string): void {
    this.set({ hidden: toggled(this.#hiddenList, run) }, `hide ${run}`);
  }

  /** Fold a section, or unfold it. */
  toggleCollapsed(section: string): void {
    this.set({ collapsed: toggled(this.#collapsedList, section) }, `fold ${section}`);
  }

  /** Put a cell on top, or back to its place. */
  togglePinned(cell: string): void {
    this.set({ pinned: toggled(this.pinned, this.keyOf(cell)) }, `pin ${cell}`);
  }

  /** Let two cells on top change places. */
  swapPinned(cell: string, other: string): void {
    const [a, b] = [this.keyOf(cell), this.keyOf(other)];
    this.set({ pinned: this.pinned.map((key) => (key === a ? b : key === b ? a : key)) }, `pin ${cell} ${other}`);
  }

  /** Let a range that is selected in one chart apply to all, or to that one alone. */
  setLinked(linked: boolean): void {
    this.set(linked ? { linked, charts: eachChart(this.#now.charts, (own) => without(own, ["zoom"])) } : { linked });
  }

  /** Note how far the page is scrolled: kept, and no step of its own. */
  noteScroll(scroll: Scrolled): void {
    if (alike(scroll, this.#now.scroll)) return;
    this.#now = { ...this.#now, scroll };
    this.#write();
  }

  /** The one way in which a view becomes another: it can be taken back, and the address says it. */
  change(next: Outlook, kind: string): void {
    if (alike(next, this.#now)) return;
    this.#history.note(this.#now, kind, performance.now());
    this.#take(next);
  }

  /** Note something that was done beside the view, and can be taken back in its turn. */
  act(act: Act): void {
    this.#history.note(this.#now, "act", performance.now(), act);
    this.#steps++;
  }

  /** Take the last change back. */
  undo(): boolean {
    return this.#step(this.#history.undo(this.#now));
  }

  /** Make the change again that was taken back. */
  redo(): boolean {
    return this.#step(this.#history.redo(this.#now));
  }

  /** Set everything as it was at first, but for the colours. */
  resetAll(): void {
    this.change({ ...DEFAULTS, theme: this.theme, scroll: this.scroll }, "reset");
  }

  /**
   * Show another run, or the cells without one. An address that says something counts; else what is set of a project goes
   * along to its other runs, and what is set of a run waits for its return.
   */
  enter(run: string | null, project: string | null): void {
    const [from, before] = [this.#run, this.#project];
    this.#run = run;
    this.#project = project;
    if (from === run) return;
    this.hover = null;
    this.#history.clear();
    if (from !== undefined) this.#left.set(from, ofRun(this.#now));
    const said = this.#said === location.search;
    this.#said = null;
    const own = this.#left.get(run) ?? {};
    if (said) this.#take(this.#of === null || this.#of === run ? this.#now : withRun(this.#now, own));
    else if (from !== undefined && before === project) this.#take(withRun(this.#now, own));
    else this.#take(withRun({ ...DEFAULTS, ...this.#ofProject(), theme: this.#now.theme }, own));
  }

  /** The address of all that is shown, for another's browser. */
  link(): string {
    const query = this.#run === undefined ? location.search : addressOf(this.#run);
    return `${location.origin}${location.pathname}${query}${writeFragment(this.#now, this.#unknown)}`;
  }

  #step(to: Outlook | undefined): boolean {
    if (to === undefined) return false;
    this.#take({ ...to, scroll: this.#now.scroll });
    return true;
  }

  #take(next: Outlook): void {
    if (next.theme !== this.#now.theme) rememberTheme(next.theme);
    this.#now = next;
    this.#steps++;
    this.#write();
  }

  #read(fragment: string): void {
    const { set, unknown } = readFragment(fragment);
    this.#of = unknown.find((part) => part.startsWith(OF))?.slice(OF.length) ?? null;
    this.#unknown = unknown.filter((part) => !part.startsWith(OF));
    this.#said = fragment.length > 1 ? location.search : null;
    this.#now = { ...DEFAULTS, theme: rememberedTheme(), ...set };
    this.#steps++;
  }

  /** Take what an address says that the user went to. */
  #follow(): void {
    if (location.hash !== this.#fragment()) this.#read(location.hash);
  }

  #fragment(): string {
    const ours = typeof this.#run === "string" && location.search === "" && !alike(ofRun(this.#now), ofRun(DEFAULTS));
    return writeFragment(this.#now, ours ? [...this.#unknown, `${OF}${this.#run}`] : this.#unknown);
  }

  #ofProject(): Partial<Outlook> {
    return readFragment(recall(`${OF_A_PROJECT}${this.#project ?? ""}`) ?? "").set;
  }

  #write(): void {
    this.#writing.take(() => {
      const fragment = this.#fragment();
      if (fragment !== location.hash) replaceAddress(fragment);
      if (this.#run === undefined) return;
      const ofProject = writeFragment({ ...lasting(this.#now), theme: DEFAULTS.theme });
      remember(`${OF_A_PROJECT}${this.#project ?? ""}`, ofProject);
    });
  }
}

function sameSettings(a: ChartSettings, b: ChartSettings): boolean {
  return (Object.keys(a) as (keyof ChartSettings)[]).every((name) => alike(a[name], b[name]));
}

/** A browser refuses what comes too often: then the next change says this one, too. */
function replaceAddress(fragment: string): void {
  try {
    history.replaceState(history.state, "", `${location.pathname}${location.search}${fragment}`);
  } catch {
    return;
  }
}

function rememberedTheme(): ThemeChoice {
  const theme = recall(THEME);
  return theme === "light" || theme === "dark" ? theme : "system";
}

function rememberTheme(theme: ThemeChoice): void {
  if (theme === "system") forget(THEME);
  else remember(THEME, theme);
}
