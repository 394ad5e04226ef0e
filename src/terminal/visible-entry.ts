import { visible, visibleLines } from "../domain/visible-text.ts";

/** An entry of a log, one line of JSON, whose texts people see as they are when a printer for people has decoded them. Only stack
 *  traces keep their line breaks. An expected error, which has no stack, becomes a part of the sentence. */
export function visibleEntry(line: string): string {
  const shown = (key: string, value: unknown): unknown => {
    if (typeof value !== "string") return value;
    return key === "stack" ? visibleLines(value) : visible(value);
  };
  try {
    return `${JSON.stringify(asSentence(JSON.parse(line)), shown)}\n`;
  } catch {
    return visibleLines(line);
  }
}

/** An entry whose error has no stack, with the error's message in its own. */
function asSentence(entry: unknown): unknown {
  const { err, msg = "", ...rest } = entry as { readonly err?: unknown; readonly msg?: string };
  if (typeof err !== "object" || err === null || "stack" in err) return entry;
  const { message = "" } = err as { readonly message?: string };
  return { ...rest, msg: `${msg}${unsaid(message, msg)}` };
}

/** The part of an error's message that an entry's message does not have yet: all of it, or only those of its causes. */
function unsaid(message: string, said: string): string {
  for (let end = message.length; end > 0; end = message.lastIndexOf(": ", end - 1)) {
    if (said.includes(message.slice(0, end))) return message.slice(end);
  }
  return `: ${message}`;
}
