import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const lowestPort = 10_000;

/** Ports of 127.0.0.1 on which no process listens. They are below the range that the kernel uses for outgoing
 *  connections (unless that range begins below 20,000), so that no connection gets a server's port between the server's kill
 *  and its next start. */
export async function freePorts(count: number): Promise<number[]> {
  const [firstEphemeral] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/);
  const end = Math.max(Number(firstEphemeral), lowestPort + 10_000);
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = lowestPort + Math.floor(Math.random() * (end - lowestPort));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** True if no process listens on this port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
