import net from "node:net";
import { HostNames } from "../../../src/kit/host-names.ts";
import { gatewayOver, openFleetStore } from "../gateway.ts";
import { listening } from "../../support/listening.ts";

/** A gateway that answers on a port, for requests that are written byte by byte. */
export interface RawGateway {
  readonly port: number;
  /** Sends the parts of a request one after the other.
   *  @returns the answer, when the server has closed the connection or 100 ms after a WebSocket has opened */
  send(...parts: readonly (string | Uint8Array)[]): Promise<string>;
  /** True if Bun shows errors with their stack. */
  readonly isInDevelopment: boolean;
  /** Error lines of the log. */
  errors(): string[];
  close(): Promise<void>;
}

/** How long a WebSocket is read after it has opened. */
const socketMs = 100;

/** Opens a gateway that answers under every name. */
export async function openRawGateway(): Promise<RawGateway> {
  const door = { hosts: new HostNames({ listensOn: "127.0.0.1", own: [], allowed: ["*"] }), corsOrigins: undefined };
  const stored = await openFleetStore();
  const gateway = gatewayOver(stored, { door });
  const port = await listening(gateway);
  return {
    port,
    send: (...parts) => sent(port, parts),
    isInDevelopment: gateway.app.server?.development === true,
    errors: () => gateway.logged.filter((line) => line.includes('"level":50')),
    close: async () => {
      await gateway.app.stop(true);
      await stored.close();
    },
  };
}

function sent(port: number, parts: readonly (string | Uint8Array)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    let answer = "";
    let left = [...parts];
    const next = (): void => {
      const [part, ...rest] = left;
      left = rest;
      if (part !== undefined) socket.write(part, () => setTimeout(next, 20));
    };
    socket.on("connect", next);
    socket.on("data", (chunk) => {
      const wasOpen = answer.startsWith("HTTP/1.1 101");
      answer += chunk.toString("latin1");
      if (!wasOpen && answer.startsWith("HTTP/1.1 101")) setTimeout(() => socket.destroy(), socketMs).unref();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}

/** The status of an answer; of several answers, that of the first. */
export function statusOf(answer: string): number {
  return Number(answer.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
}

/** The text of an answer after its headers. */
export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}
