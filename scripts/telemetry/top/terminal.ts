import { type Key, keysIn } from "./keys.ts";
import { drawScreen, enterScreen, leaveScreen, type ScreenLine } from "../../../src/terminal/print.ts";
import type { Line, Size } from "./screen.ts";

/** The rest of a key's sequence follows at once; after this time, the key was Escape. */
const escapeWaitMs = 50;

const styles: Readonly<Record<Line["role"], ScreenLine["style"]>> = {
  ...{ header: "bold", titles: "inverse", row: undefined, stale: "yellow", footer: "dim" },
};

/** What the terminal tells. */
interface Listener {
  readonly onKey: (key: Key) => void;
  readonly onResize: () => void;
}

/** The whole terminal, from `open` until `close` or the end of the process. */
export class FullScreen {
  private pending = "";
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isOpen = true;
  private readonly onData = (text: string): void => this.receive(text);
  private readonly onExit = (): void => this.close();

  constructor(private readonly listener: Listener) {
    process.once("exit", this.onExit);
    enterScreen();
    process.stdout.on("resize", this.listener.onResize);
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(true);
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", this.onData);
    process.stdin.resume();
  }

  get size(): Size {
    const { columns = 80, rows = 24 } = process.stdout;
    return { width: columns, height: rows };
  }

  draw(lines: readonly Line[]): void {
    const isPlain = Boolean(process.env.NO_COLOR);
    drawScreen(lines.map(({ text, role }) => ({ text, style: isPlain ? undefined : styles[role] })));
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    process.off("exit", this.onExit);
    clearTimeout(this.timer);
    process.stdout.off("resize", this.listener.onResize);
    if (process.stdin.isTTY) {
      process.stdin.off("data", this.onData);
      // the terminal may have been closed
      process.stdin.once("error", () => undefined);
      process.stdin.setRawMode(false);
      process.stdin.pause();
    }
    leaveScreen();
  }

  private receive(text: string): void {
    clearTimeout(this.timer);
    const { keys, rest } = keysIn(`${this.pending}${text}`);
    this.pending = rest;
    if (rest !== "") this.timer = setTimeout(() => this.endSequence(), escapeWaitMs);
    keys.forEach(this.listener.onKey);
  }

  private endSequence(): void {
    this.pending = "";
    this.listener.onKey("escape");
  }
}
