import { writeSync } from "node:fs";
import { styleText } from "node:util";
import { visibleLines } from "../domain/visible-text.ts";
import { wrapLines } from "./wrap-lines.ts";

/** Prints lines to standard output. Characters that deceive or control a terminal are escaped. */
export function print(text: string): void {
  process.stdout.write(`${visibleLines(text)}\n`);
}

/** Prints sentences and lists of commands: like `print`, and between words on a terminal that is narrower than their lines. */
export function printText(text: string): void {
  print(wrapLines(text, process.stdout.columns));
}

/** Prints sentences to standard error, like `printText`. */
export function printError(text: string): void {
  process.stderr.write(`${visibleLines(wrapLines(text, process.stderr.columns))}\n`);
}

/** A line of a full screen; `style` says how it stands out. */
export interface ScreenLine {
  readonly text: string;
  readonly style: Parameters<typeof styleText>[0] | undefined;
}

/** Changes to the alternate screen, without a cursor and without automatic wrapping. */
export function enterScreen(): void {
  process.stdout.write("\u001b[?1049h\u001b[?25l\u001b[?7l");
}

/** Draws the whole screen in place. Characters that deceive or control a terminal are escaped. */
export function drawScreen(lines: readonly ScreenLine[]): void {
  const drawn = lines.map(({ text, style }) => {
    const seen = visibleLines(text);
    return style === undefined ? seen : styleText(style, seen, { validateStream: false });
  });
  process.stdout.write(`\u001b[H${drawn.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`);
}

/** Undoes `enterScreen`, at once: at the end of a process, a later write would be lost. Does nothing if the terminal is gone. */
export function leaveScreen(): void {
  try {
    writeSync(1, "\u001b[?7h\u001b[?25h\u001b[?1049l");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EIO") throw error;
  }
}
