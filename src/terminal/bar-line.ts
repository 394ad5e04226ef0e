/** A bar on the last line of a terminal. */
export interface Bar {
  readonly isActive: boolean;
  /** Draws it on the line of the cursor, whether it has changed or not. */
  draw(): void;
}

/** Lets a bar and lines of text share a terminal: what is written meanwhile stands above the bar. */
export class BarLine {
  private bar: Bar | undefined;

  /** @param stream where the bar is drawn */
  constructor(readonly stream: NodeJS.WriteStream) {}

  hold(bar: Bar): void {
    this.bar = bar;
  }

  /** Removes the bar, if there is one, writes, and draws it again.
   *  @param write writes whole lines, to this stream or to another one of the same terminal */
  around(write: () => void): void {
    const bar = this.stream.isTTY && this.bar?.isActive === true ? this.bar : undefined;
    if (bar !== undefined) this.stream.write("\r\u001b[K");
    write();
    bar?.draw();
  }
}
