import { Writable } from "node:stream";
import pino, { type Logger } from "pino";
import { visibleLines } from "../domain/visible-text.ts";
import { spanFields } from "../kit/tracing.ts";
import type { BarLine } from "./bar-line.ts";
import { errorEntry } from "./error-entry.ts";
import { visibleEntry } from "./visible-entry.ts";

/** How the log shows what entries have. */
export const logSerializers = { err: errorEntry };

/** The process's log on standard output: readable text on a terminal, one JSON object per line
 *  elsewhere, with the level as a word, so that `grep -i error` finds errors. Entries within a recorded trace have its ids. Characters that deceive or control a terminal are
 *  escaped; in JSON, this does not change the values. What makes text of the entries is loaded only for a terminal.
 *  @param barLine keeps the bar below the entries; absent: there is no bar */
export async function makeLog(level: string, isTerminal: boolean, barLine?: BarLine): Promise<Logger> {
  if (!isTerminal) {
    const formatters = { level: (label: string) => ({ level: label }) };
    return pino({
      level,
      mixin: spanFields,
      serializers: logSerializers,
      formatters,
      hooks: { streamWrite: visibleLines },
    });
  }
  const { default: pretty } = await import("pino-pretty");
  const options = { ignore: "pid,hostname", translateTime: "HH:MM:ss", destination: standardOutput(barLine) };
  return pino(
    { level, mixin: spanFields, serializers: logSerializers, hooks: { streamWrite: visibleEntry } },
    pretty(options),
  );
}

/** Writes at once, so that the last entries of a process are not lost. */
function standardOutput(barLine: BarLine | undefined): Writable {
  const output = pino.destination({ dest: 1, sync: true });
  return new Writable({
    decodeStrings: false,
    write: (text: string, _, done) => {
      const write = (): void => void output.write(String(text));
      if (barLine === undefined) write();
      else barLine.around(write);
      done();
    },
  });
}
