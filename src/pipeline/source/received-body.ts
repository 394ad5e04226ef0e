import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import { DeadlineExceeded, within } from "../../kit/within.ts";
import { type BodyChunks, UnusablePush } from "./push.ts";

/** A sender that is silent for so long does not go on. */
const silenceMaxMs = 30_000;
/** So much is unpacked at a time: packed bytes can become a thousand times as many. */
export const sliceBytes = 16 * 1024;

/** A body as it was sent, in chunks of at most 16 KiB. @throws UnusablePush if its sender is silent for too long, or goes */
export async function* receivedFrom(bytes: ReadableStream<Uint8Array>, clock: Clock): BodyChunks {
  const reader = bytes.getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  try {
    for (;;) {
      const next = await within(clock, silenceMaxMs, () => reader.read());
      if (next.done) return;
      for (let at = 0; at < next.value.length; at += sliceBytes) yield next.value.subarray(at, at + sliceBytes);
    }
  } catch (error) {
    const reason = error instanceof DeadlineExceeded ? `nothing came for ${silenceMaxMs / 1000} s` : messageOf(error);
    throw new UnusablePush("incomplete", `The body does not go on: ${reason}`);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
