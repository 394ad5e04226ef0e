import pino, { type Logger } from "pino";
import pretty from "pino-pretty";
import { visibleLines } from "../domain/visible-text.ts";
import { errorEntry } from "./error-entry.ts";
import { visibleEntry } from "./visible-entry.ts";

/** The process's log on standard output: readable text on a terminal, one JSON object per line
 *  elsewhere, with the level as a word, so that `grep -i error` finds errors. Characters that deceive or control a terminal are
 *  escaped; in JSON, this does not change the values. */
export function makeLog(level: string, isTerminal: boolean): Logger {
  const serializers = { err: errorEntry };
  if (!isTerminal) {
    const formatters = { level: (label: string) => ({ level: label }) };
    return pino({ level, serializers, formatters, hooks: { streamWrite: visibleLines } });
  }
  const options = { sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss" };
  return pino({ level, serializers, hooks: { streamWrite: visibleEntry } }, pretty(options));
}
