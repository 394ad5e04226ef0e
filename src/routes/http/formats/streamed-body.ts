import { askedBy, type Asker } from "../access/asker.ts";

/** The body of an answer that is made as fast as the client reads. An error aborts the stream, as does the end of the caller.
 *  @param release called when the stream has ended, in whatever way */
export function streamedBody(
  chunks: AsyncGenerator<Uint8Array, void>,
  asker: Asker,
  release: () => void,
): ReadableStream<Uint8Array> {
  const { caller } = asker.requester;
  let removeListener = (): void => undefined;
  const leave = (): void => {
    removeListener();
    release();
  };
  // a stream whose client has left before it was read is not cancelled
  asker.signal.addEventListener("abort", leave, { once: true });
  const end = async (): Promise<void> => {
    leave();
    asker.leave();
    await chunks.return();
  };
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        removeListener = caller.onEnd(() => {
          controller.error(new Error(caller.endText));
          void end();
        });
      },
      pull: async (controller) => {
        const { done, value } = await askedBy(asker, () => chunks.next()).catch((error: unknown) => {
          leave();
          throw error;
        });
        if (caller.hasEnded) return;
        if (done !== true) return controller.enqueue(value);
        leave();
        controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

/** Texts as UTF-8. */
export async function* encoded(texts: AsyncGenerator<string, void>): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder();
  for await (const text of texts) yield encoder.encode(text);
}
