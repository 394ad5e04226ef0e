import { every, nowMs } from "../clock.ts";
import { Emitter } from "./emitter.ts";
import { messageOf } from "./gateway-api.ts";
import { type LiveState, type LiveStatus, statusAfter } from "./live-status.ts";

/** What a page asks the gateway, by names of the page's own. */
export type Questions = Readonly<Record<string, () => Promise<unknown>>>;
type Answers<Asked extends Questions> = { readonly [Name in keyof Asked]: Awaited<ReturnType<Asked[Name]>> };

/** Processes report once a few seconds. */
const everyMs = 3000;

/** What the gateway answers to a page's questions, asked regularly. A question that is not answered keeps its last answer, with the
 *  reason. */
export class LiveAnswers<Asked extends Questions> implements LiveState {
  readonly statuses = new Emitter<void>();
  /** Something may have changed. */
  readonly changes = new Emitter<void>();
  status: LiveStatus = { name: "CONNECTING" };
  isLoaded = false;
  answers: Partial<Answers<Asked>> = {};
  problems: Partial<Record<keyof Asked, string>> = {};
  private round = 0;
  private isReading = false;

  constructor(private questions: Asked) {}

  start(): void {
    every(everyMs, () => {
      // a page that is not seen need not ask
      if (!this.isReading && (!this.isLoaded || document.visibilityState === "visible")) void this.refresh();
    });
    void this.refresh();
  }

  /** Asks other questions of the same names from now on. */
  replace(questions: Asked): void {
    this.questions = questions;
    void this.refresh();
  }

  /** Asks every question now. What was asked before and is answered later is dropped. */
  async refresh(): Promise<void> {
    if (this.status.name === "REFUSED") return;
    const round = ++this.round;
    this.isReading = true;
    const names = Object.keys(this.questions);
    const failures = await Promise.all(names.map((name) => this.ask(name, round)));
    if (round !== this.round) return;
    this.isReading = false;
    // the gateway has answered if any question is answered; anyone may ask who they are
    const failure = failures.find((each) => each !== undefined);
    const hasAnswer = failures.some((each, index) => each === undefined && names[index] !== "me");
    if (hasAnswer || failure === undefined) {
      this.isLoaded = true;
      this.status = { name: "LIVE" };
    } else this.status = statusAfter(failure, this.status, nowMs());
    this.statuses.emit();
    this.changes.emit();
  }

  private async ask(name: keyof Asked & string, round: number): Promise<unknown> {
    try {
      const answer = await this.questions[name]?.();
      // others may have been answered meanwhile
      if (round === this.round) this.answers = { ...this.answers, [name]: answer };
      this.problems = { ...this.problems, [name]: undefined };
      return undefined;
    } catch (error) {
      this.problems = { ...this.problems, [name]: messageOf(error) };
      return error;
    }
  }
}
