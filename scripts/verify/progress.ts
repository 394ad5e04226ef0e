/** The part of a terminal that is written to. */
interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** What is shorter needs no progress, and what changes faster is not read, in milliseconds. */
const intervalMs = 1000;

/** One line on a terminal about work that takes longer than a second; nothing elsewhere. */
export class Progress {
  private shownAtMs: number;
  private isShown = false;

  /** @param terminal standard error, so that the result can go into a pipe */
  constructor(
    private readonly terminal: Terminal,
    private readonly nowMs: () => number,
  ) {
    this.shownAtMs = nowMs();
  }

  /** Replaces the line, at most once a second. */
  show(text: string): void {
    if (this.terminal.isTTY !== true || this.nowMs() - this.shownAtMs < intervalMs) return;
    this.shownAtMs = this.nowMs();
    this.isShown = true;
    this.terminal.write(`\r\u001b[K${text}`);
  }

  /** Clears the line. */
  end(): void {
    if (this.isShown) this.terminal.write("\r\u001b[K");
    this.isShown = false;
  }
}
