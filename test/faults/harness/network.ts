/** A host of the test network: a network namespace with one address. */
export interface TestHost {
  readonly netns: string;
  readonly address: string;
  /** Disconnects the host as if its cable were pulled: no packet arrives or leaves, and no connection is closed. */
  cutOff(): Promise<void>;
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
    await ip("netns", "add", hub);
    await ip("-n", hub, "link", "add", "switch", "type", "bridge");
    await ip("-n", hub, "link", "set", "switch", "up");
    await ip("link", "add", uplink, "type", "veth", "peer", "name", "self", "netns", hub);
    await ip("-n", hub, "link", "set", "self", "master", "switch", "up");
    await ip("address", "add", `${subnet}.1/24`, "dev", uplink);
    await ip("link", "set", uplink, "up");
    const hosts: TestHost[] = [];
    for (let index = 0; index < hostCount; index += 1) {
      const netns = `gtp-${id}-${index}`;
      namespaces.push(netns);
      hosts.push(await addHost({ hub, netns, port: `port${index}`, address: `${subnet}.${10 + index}` }));
    }
    return { address: `${subnet}.1`, hosts, remove };
  } catch (error) {
    await remove();
    process.stderr.write(`no partitions here: network namespaces cannot be created (${(error as Error).message})\n`);
    return undefined;
  }
}

async function addHost(plan: {
  readonly hub: string;
  readonly netns: string;
  readonly port: string;
  readonly address: string;
}): Promise<TestHost> {
  const { hub, netns, port, address } = plan;
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
    reconnect: () => ip("-n", hub, "link", "set", port, "master", "switch"),
  };
}
