import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { KubernetesRefused, KubernetesUnavailable } from "../domain/errors.ts";
import type { Clock } from "../kit/clock.ts";

const eventSchema = Type.Object({ type: Type.String(), object: Type.Unknown() });
const errorSchema = Type.Object({ code: Type.Integer(), message: Type.String() });

/** An event of a watch: `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`, and the object as it is then. */
export type WatchEvent = Static<typeof eventSchema>;

/** A server sends a bookmark every one or two minutes (kube-apiserver 1.37: the first one after 120 s). After this time without one,
 *  the connection leads nowhere: a firewall has forgotten it, or the server hangs.
 *  Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks */
const silenceMaxMs = 300_000;
/** An object of etcd has at most 1.5 MiB, and its JSON can be some times as large. */
const lineMaxCharacters = 32 * 1024 * 1024;

/** Reads the events of a watch, a JSON text a line, until the server ends it, the connection is cut, or it is silent.
 *  @param signal must abort at some time: it ends the reading
 *  @throws the error that the server sends as an event; KubernetesUnavailable for a line that is no event */
export async function* readWatch(
  response: Response,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<readonly WatchEvent[]> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const chunk = await nextChunk(reader, clock, signal);
      // what remains of a line that was cut comes again: a watch continues after the last whole event
      if (chunk === undefined) return;
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineMaxCharacters) throw new KubernetesUnavailable("an event of a watch is too large");
      if (lines.length > 0) yield lines.filter((line) => line !== "").map(eventOf);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** @returns undefined after the last one */
async function nextChunk(
  reader: { read(): Promise<{ readonly value?: Uint8Array }> },
  clock: Clock,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const ended = Promise.withResolvers<undefined>();
  const end = (): void => ended.resolve(undefined);
  const cancel = clock.after(silenceMaxMs, end);
  signal.addEventListener("abort", end, { once: true });
  try {
    if (signal.aborted) end();
    return await Promise.race([reader.read().then(({ value }) => value), ended.promise]);
  } catch {
    return undefined;
  } finally {
    cancel();
    signal.removeEventListener("abort", end);
  }
}

function eventOf(line: string): WatchEvent {
  const event = parsed(line);
  if (!Value.Check(eventSchema, event)) throw new KubernetesUnavailable("a watch sent a line that is no event");
  if (event.type !== "ERROR") return event;
  const { code, message } = Value.Check(errorSchema, event.object)
    ? event.object
    : { code: 500, message: "an error without a text" };
  throw refusalOf(code, `the watch was ended: ${message} (${code})`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** The error of an answer or event with this status. A later call may succeed after 429 and 5xx. */
export function refusalOf(status: number, message: string): KubernetesRefused | KubernetesUnavailable {
  const isTemporary = status === 429 || status >= 500;
  return isTemporary ? new KubernetesUnavailable(message) : new KubernetesRefused(message, status);
}
