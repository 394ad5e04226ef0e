import { gpuUuid, subscriptionTo, textOf } from "./fan-out-load.ts";
import { textFrame, upgradeRequest } from "../../dev/web-socket-frames.ts";

// The subscribers of the fan-out bench. All messages have the same length, so each subscriber is a plain socket that only counts
// bytes, which takes little processor time. This process notifies its parent when all expected messages have arrived.

const [port = "0", subscribers = "1", gpus = "1"] = process.argv.slice(2);
/** The length of a message's frame: the text, and a head of four bytes, because a server's frame has no mask and the text has
 *  at least 126 bytes. */
const frameBytes = textOf(gpuUuid(0), 0).length + 4;

const state = { isReady: false, bytes: 0, wantedBytes: Infinity };

function addBytes(bytes: number): void {
  state.bytes += bytes;
  notifyIfReached();
}

function notifyIfReached(): void {
  if (state.bytes < state.wantedBytes) return;
  state.wantedBytes = Infinity;
  process.send?.("reached");
}

async function open(uuid: string): Promise<void> {
  const subscribed = Promise.withResolvers<void>();
  let before = "";
  await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(upgradeRequest),
      data: (socket, data) => {
        if (state.isReady) {
          addBytes(data.length);
          return;
        }
        const isHead = !before.includes("\r\n\r\n");
        before += data.toString("latin1");
        // the HTTP head arrives first, then the answer to the subscription: a frame that ends with JSON
        if (isHead && before.includes("\r\n\r\n")) socket.write(textFrame(subscriptionTo(uuid)));
        if (before.includes("\r\n\r\n") && before.endsWith("}")) subscribed.resolve();
      },
      close: () => process.exit(1),
    },
  });
  await subscribed.promise;
}

// the parent sends the total number of messages to wait for
process.on("message", (messages: number) => {
  state.wantedBytes = messages * frameBytes;
  notifyIfReached();
});
await Promise.all(Array.from({ length: Number(subscribers) }, (_, index) => open(gpuUuid(index % Number(gpus)))));
state.isReady = true;
process.send?.("ready");
