import { every, nowMs } from "../clock.ts";
import { Emitter } from "./emitter.ts";
import { ApiFailure } from "./gateway-api.ts";
import { type LiveState, type LiveStatus, statusAfter } from "./live-status.ts";
import { questions } from "./pipeline-api.ts";

type Question = keyof typeof questions;
type Answers = { readonly [Each in Question]: Awaited<ReturnType<(typeof questions)[Each]>> };

/** Processes report once a few seconds. */
const everyMs = 3000;

/** The pipeline as the gateway tells it, asked regularly. A part that cannot be read keeps what was known of it, with the reason. */
export class LivePipeline implements LiveState {
  readonly statuses = new Emitter<void>();
  /** Something may have changed. */
  readonly changes = new Emitter<void>();
  status: LiveStatus = { name: "CONNECTING" };
  isLoaded = false;
  answers: Partial<Answers> = {};
  problems: Partial<Record<Question, string>> = {};
  private isReading = false;

  start(): void {
    every(everyMs, () => void this.refresh());
    void this.refresh();
  }

  /** Reads every part. */
  async refresh(): Promise<void> {
    if (this.isReading || this.status.name === "REFUSED") return;
    // a page that is not seen need not ask
    if (this.isLoaded && document.visibilityState !== "visible") return;
    this.isReading = true;
    const names = Object.keys(questions) as Question[];
    const failures = await Promise.all(names.map((name) => this.ask(name)));
    this.isReading = false;
    // the gateway has answered if any part has; who may see no part may not see the page
    const [failure] = failures.filter((each) => each !== undefined);
    const hasAnswer = failures.some((each, index) => each === undefined && names[index] !== "me");
    if (hasAnswer || failure === undefined) {
      this.isLoaded = true;
      this.status = { name: "LIVE" };
    } else this.status = statusAfter(failure, this.status, nowMs());
    this.statuses.emit();
    this.changes.emit();
  }

  private async ask(name: Question): Promise<unknown> {
    try {
      const answer = await questions[name]();
      // others may have been answered meanwhile
      this.answers = { ...this.answers, [name]: answer };
      this.problems = { ...this.problems, [name]: undefined };
      return undefined;
    } catch (error) {
      const reason = error instanceof ApiFailure ? error.message : String(error);
      this.problems = { ...this.problems, [name]: reason };
      return error;
    }
  }
}
