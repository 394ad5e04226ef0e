import { existsSync } from "node:fs";

export type Direction = "sending" | "sending to this machine" | "receiving";

/** A host of the test network: a network namespace with one address. */
export interface TestHost {
  readonly netns: string;
  readonly address: string;
  /** Disconnects the host as if its cable were pulled: no packet arrives or leaves, and no connection is closed. */
  cutOff(): Promise<void>;
  /** Cuts one direction off: no packet leaves the host, none leaves it for this machine, or none arrives. */
  cutOffOneWay(direction: Direction): Promise<void>;
  /** Undoes `cutOff` and `cutOffOneWay`. */
  reconnect(): Promise<void>;
}

/** Hosts and this machine, connected by a switch. */
export interface TestNetwork {
  /** This machine's own address in the network. */
  readonly address: string;
  readonly hosts: readonly TestHost[];
  remove(): Promise<void>;
}

/** Installs iproute2 if `ip` is missing and the machine has apt-get. */
async function installIproute(): Promise<void> {
  if (Bun.which("ip") !== null || Bun.which("apt-get") === null) return;
  await Bun.spawn(["sh", "-c", "apt-get update -q && apt-get install -qy iproute2"], { stdout: "ignore" }).exited;
}

async function ip(...words: string[]): Promise<void> {
  const child = Bun.spawn(["ip", ...words], { stdio: ["ignore", "ignore", "pipe"] });
  const errors = await child.stderr.text();
  if ((await child.exited) !== 0) throw new Error(`ip ${words.join(" ")}: ${errors.trim()}`);
}

/** Removes the networks that killed processes have left. */
async function removeLeftovers(): Promise<void> {
  const list = await Bun.spawn(["ip", "netns", "list"], { stdio: ["ignore", "pipe", "ignore"] }).stdout.text();
  for (const [name = "", id = ""] of list.matchAll(/^gtp-([0-9a-z]+)-\S+/gm)) {
    if (existsSync(`/proc/${parseInt(id, 36)}`)) continue;
    await ip("link", "delete", `gtp${id}`).catch(() => undefined);
    await ip("netns", "delete", name).catch(() => undefined);
  }
}

/** Creates a network of namespaces, which needs Linux, root and iproute2.
 *  @returns undefined, with the reason on stderr, if the network cannot be created */
export async function makeNetwork(hostCount: number): Promise<TestNetwork | undefined> {
  await installIproute();
  const id = process.pid.toString(36);
  const hub = `gtp-${id}-hub`;
  const subnet = `10.213.${process.pid % 256}`;
  const namespaces = [hub];
  const uplink = `gtp${id}`;
  const remove = async (): Promise<void> => {
    await ip("link", "delete", uplink).catch(() => undefined);
    for (const name of namespaces) await ip("netns", "delete", name).catch(() => undefined);
  };
  try {
    await removeLeftovers();
    await ip("netns", "add", hub);
    await ip("-n", hub, "link", "add", "switch", "type", "bridge");
    await ip("-n", hub, "link", "set", "switch", "up");
    await ip("link", "add", uplink, "type", "veth", "peer", "name", "self", "netns", hub);
    await ip("-n", hub, "link", "set", "self", "master", "switch", "up");
    await ip("address", "add", `${subnet}.1/24`, "dev", uplink);
    await ip("link", "set", uplink, "up");
    const hosts: TestHost[] = [];
    const own = `${subnet}.1`;
    const others = Array.from({ length: hostCount }, (_, index) => `${subnet}.${10 + index}`);
    for (const [index, address] of others.entries()) {
      const netns = `gtp-${id}-${index}`;
      namespaces.push(netns);
      hosts.push(await addHost({ hub, netns, port: `port${index}`, address, addresses: [own, ...others] }));
    }
    return { address: own, hosts, remove };
  } catch (error) {
    await remove();
    process.stderr.write(`no partitions here: network namespaces cannot be created (${(error as Error).message})\n`);
    return undefined;
  }
}

/** A host's place in the network. */
interface Plug {
  readonly hub: string;
  readonly netns: string;
  readonly port: string;
  readonly address: string;
  /** The addresses of this machine, which is the first, and of all hosts. */
  readonly addresses: readonly string[];
}

async function addHost(plug: Plug): Promise<TestHost> {
  const { hub, netns, port, address, addresses } = plug;
  const [own = ""] = addresses;
  await ip("netns", "add", netns);
  await ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns);
  await ip("-n", hub, "link", "set", port, "master", "switch", "up");
  await ip("-n", netns, "address", "add", `${address}/24`, "dev", "eth0");
  await ip("-n", netns, "link", "set", "eth0", "up");
  await ip("-n", netns, "link", "set", "lo", "up");
  return {
    netns,
    address,
    cutOff: () => ip("-n", hub, "link", "set", port, "nomaster"),
    cutOffOneWay: (direction) => {
      if (direction === "receiving") return stopReceiving(plug);
      return stopSending(plug, direction === "sending" ? addresses : [own]);
    },
    reconnect: () => connect(plug),
  };
}

/** A hardware address that no host has. */
const nobody = "02:00:00:00:00:01";

/** The host sends packets for the others to a hardware address that no host has. */
async function stopSending({ netns, address }: Plug, others: readonly string[]): Promise<void> {
  for (const other of others) {
    if (other === address) continue;
    await ip("-n", netns, "neighbour", "replace", other, "lladdr", nobody, "dev", "eth0", "nud", "permanent");
  }
}

/** The switch forgets what hardware is at the host's port, does not learn it again, and floods nothing there. */
async function stopReceiving({ hub, port }: Plug): Promise<void> {
  await ip("-n", hub, "link", "set", port, "nomaster");
  await ip("-n", hub, "link", "set", port, "master", "switch");
  const off = ["learning", "flood", "bcast_flood", "mcast_flood"].flatMap((flag) => [flag, "off"]);
  await ip("-n", hub, "link", "set", port, "type", "bridge_slave", ...off);
}

/** A port that joins the switch again has the switch's defaults again. */
async function connect({ hub, netns, port }: Plug): Promise<void> {
  await ip("-n", netns, "neighbour", "flush", "dev", "eth0", "nud", "permanent");
  await ip("-n", hub, "link", "set", port, "nomaster");
  await ip("-n", hub, "link", "set", port, "master", "switch");
}
