import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const lowestPort = 10_000;
/** The variable of a process whose servers run at the same time as those of another one: it takes the upper half of the ports, and the other one
 *  the lower half, so that neither takes a port between the other's choice and its server's start. */
export const concurrentVariable = "CONCURRENT_TESTS";

/** Ports of 127.0.0.1 on which no process listens. They are below the range that the kernel uses for outgoing
 *  connections (unless that range begins below 20,000), so that no connection gets a server's port between the server's kill
 *  and its next start. */
export async function freePorts(count: number): Promise<number[]> {
  const [firstEphemeral] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/);
  const half = Math.floor((Math.max(Number(firstEphemeral), lowestPort + 10_000) - lowestPort) / 2);
  const first = process.env[concurrentVariable] ? lowestPort + half : lowestPort;
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = first + Math.floor(Math.random() * half);
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
