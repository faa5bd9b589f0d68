/** How a run is doing, in words and shares. */

import { about, duration } from "../format";
import type { Run } from "../wire";
import type { Connection } from "./session.svelte";

export type Tone = "good" | "quiet" | "warning" | "error";

export interface Status {
  readonly word: string;
  readonly tone: Tone;
  readonly detail: string;
}

/** Without a sign of life for so long a running training is called stalled. */
const STALLED_MS = 15_000;

const ENDED: Readonly<Record<Exclude<Run["state"], "running">, Status>> = {
  finished: { word: "finished", tone: "quiet", detail: "The training came to its end." },
  interrupted: { word: "interrupted", tone: "warning", detail: "The training was stopped by hand." },
  failed: { word: "failed", tone: "error", detail: "The training ended with an exception." },
  crashed: { word: "crashed", tone: "error", detail: "The training's process is gone without having ended the run." },
};

/** Say how a run is doing. `heard` and `now` are milliseconds since 1970. */
export function status(run: Run, connection: Connection, heard: number, now: number): Status {
  if (run.state !== "running") return ENDED[run.state];
  if (connection === "lost" || connection === "ended") {
    return { word: "disconnected", tone: "warning", detail: "The server cannot be reached." };
  }
  const silent = now - heard;
  if (silent < STALLED_MS) return { word: "live", tone: "good", detail: "The training is running." };
  return { word: "stalled", tone: "warning", detail: `No sign of life for ${duration(silent / 1000)}.` };
}

/** The epoch under way, or the last one of a run that has ended; null where epochs are not known. */
export function currentEpoch({ progress, state }: Run): number | null {
  const { epoch, epochs } = progress;
  if (state !== "running") return epoch;
  if (epoch === null) return epochs === null ? null : 1;
  return epochs === null ? epoch + 1 : Math.min(epoch + 1, Math.max(epochs, epoch));
}

/** Say how far a run is: `epoch 13 of 20`, else `step 640`; empty where nothing is known. */
export function progressWords(run: Run): string {
  const epoch = currentEpoch(run);
  if (epoch === null) return run.progress.step === null ? "" : `step ${run.progress.step}`;
  return run.progress.epochs === null ? `epoch ${epoch}` : `epoch ${epoch} of ${run.progress.epochs}`;
}

/** The share of the training that is done, from 0 to 1; null where its length is not known. */
export function doneShare({ progress, state }: Run): number | null {
  const { epoch, epochs, step, stepsPerEpoch } = progress;
  if (epochs === null || epochs <= 0) return null;
  if (state === "finished") return 1;
  const bySteps = step !== null && stepsPerEpoch !== null ? step / (epochs * stepsPerEpoch) : 0;
  return Math.min(1, Math.max(0, bySteps, (epoch ?? 0) / epochs));
}

/** Say how long a run has taken and, where its length is known, how long it may still take. */
export function timeWords(run: Run, now: number): string {
  const end = run.ended ?? (run.state === "running" ? now * 1000 : (run.heartbeat ?? run.created));
  const elapsed = Math.max(0, end - run.created) / 1e6;
  const left = remaining(run, elapsed);
  return left === null ? duration(elapsed) : `${duration(elapsed)} · about ${about(left)} left`;
}

/** Estimate the seconds left from the pace so far; null where the end is not known. */
export function remaining({ progress, state }: Run, elapsed: number): number | null {
  const { epochs, step, stepsPerEpoch } = progress;
  if (state !== "running" || epochs === null || stepsPerEpoch === null || step === null || step <= 0) return null;
  const left = epochs * stepsPerEpoch - step;
  return left > 0 ? (elapsed * left) / step : null;
}

/** The title of the browser's tab. */
export function tabTitle(run: Run | undefined, word: string | null): string {
  if (run === undefined) return "Agnez";
  const epoch = currentEpoch(run);
  const epochs = run.progress.epochs;
  const far = epoch === null ? word : epochs === null ? `epoch ${epoch}` : `${epoch}/${epochs}`;
  const head = word === "live" ? far : [word, epoch === null ? null : far].filter(Boolean).join(" ");
  return `${head ?? "live"} · ${run.name} – Agnez`;
}
