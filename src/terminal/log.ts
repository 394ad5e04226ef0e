import pino, { type Logger } from "pino";
import { visibleLines } from "../domain/visible-text.ts";
import { spanFields } from "../kit/tracing.ts";
import { errorEntry } from "./error-entry.ts";
import { visibleEntry } from "./visible-entry.ts";

/** How the log shows what entries have. */
export const logSerializers = { err: errorEntry };

/** The process's log on standard output: readable text on a terminal, one JSON object per line
 *  elsewhere, with the level as a word, so that `grep -i error` finds errors. Entries within a recorded trace have its ids. Characters that deceive or control a terminal are
 *  escaped; in JSON, this does not change the values. What makes text of the entries is loaded only for a terminal. */
export async function makeLog(level: string, isTerminal: boolean): Promise<Logger> {
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
  const options = { sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss" };
  return pino(
    { level, mixin: spanFields, serializers: logSerializers, hooks: { streamWrite: visibleEntry } },
    pretty(options),
  );
}
