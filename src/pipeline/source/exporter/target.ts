import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";

/** An exporter that is scraped. */
export interface Target {
  /** Its name for people, and a part of its source's id: `host:9400`, or its URL if that is not `http://host:port/metrics`.
   *  It contains no query, because queries may contain secrets. */
  readonly name: string;
  readonly url: string;
  /** Name or address of its host; an IPv6 address without brackets. */
  readonly host: string;
  /** The cluster that its GPUs belong to. */
  readonly clusterId: string;
  /** Labels from its discovery, without `cluster` and those that begin with two underscores. */
  readonly labels: Readonly<Record<string, string>>;
}

/** An address as it stands in a setting or a file, and its labels. */
export interface TargetEntry {
  readonly address: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** The port of dcgm-exporter, for an address that is only a host. */
const defaultPort = 9400;
const defaultPath = "/metrics";
/** Connections to these would lead to this machine itself. */
const unspecified: ReadonlySet<string> = new Set(["[::]", "[::ffff:0:0]", "0.0.0.0"]);
const clusterPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const labelName = /^[A-Za-z_][A-Za-z0-9_]*$/;
const labelMaxLength = 256;

/** Reads an entry. The labels `cluster`, `__scheme__`, `__metrics_path__` and `__param_<name>` have the meaning that they have in
 *  Prometheus.
 *  @param clusterId the cluster of an entry without the label `cluster`
 *  @returns the target, or a sentence that says what is wrong and what would be right */
export function readTarget({ address, labels = {} }: TargetEntry, clusterId: string): Target | string {
  const wrongLabel = Object.entries(labels).find(([name, value]) => !isLabel(name, value));
  if (wrongLabel !== undefined) return `the label ${JSON.stringify(wrongLabel[0])} is not usable: ${labelRule}`;
  const url = urlOf(address, labels);
  if (typeof url === "string") return url;
  const cluster = labels.cluster ?? clusterId;
  if (!clusterPattern.test(cluster)) {
    return `the cluster ${JSON.stringify(cluster)} is not usable: expected letters, digits, dot, underscore and dash`;
  }
  const kept = Object.entries(labels).filter(([name]) => name !== "cluster" && !name.startsWith("__"));
  return {
    name: nameOf(url),
    url: url.href,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    clusterId: cluster,
    labels: Object.fromEntries(kept),
  };
}

/** Identifies a target in every process and after a restart. */
export function sourceIdOf({ clusterId, name }: Target): string {
  return `scrape:${clusterId}:${name}`;
}

const labelRule = `expected a name of letters, digits and underscores, and a text of at most ${labelMaxLength} characters`;

function isLabel(name: string, value: string): boolean {
  return labelName.test(name) && value.length <= labelMaxLength && !value.includes("\0");
}

function urlOf(address: string, labels: Readonly<Record<string, string>>): URL | string {
  const { __scheme__: scheme = "http", __metrics_path__: path } = labels;
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(address);
  const url = URL.parse(isUrl ? address : `${scheme}://${isIPv6(address) ? `[${address}]` : address}`);
  const shown = JSON.stringify(withoutSecrets(address));
  if (url === null || url.hostname === "" || /\s/.test(address)) {
    return `the target ${shown} is not usable: expected host:port or a URL such as http://host:9400/metrics`;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return `the target ${shown} is not usable: its scheme must be http or https`;
  }
  if (unspecified.has(url.hostname)) {
    return `the target ${shown} is not usable: it stands for every address of this machine; expected the name or address of one host, such as localhost`;
  }
  if (url.username !== "" || url.password !== "") {
    return `the target ${shown} has a user or a password in its address; use DCGM_USERNAME and DCGM_PASSWORD`;
  }
  if (!isUrl && !/:\d+$/.test(isIPv6(address) ? "" : (address.split("/")[0] ?? ""))) url.port = String(defaultPort);
  if (path !== undefined) url.pathname = path;
  else if (url.pathname === "/") url.pathname = defaultPath;
  for (const [name, value] of Object.entries(labels)) {
    if (name.startsWith("__param_")) url.searchParams.set(name.slice("__param_".length), value);
  }
  url.hash = "";
  return url;
}

function withoutSecrets(address: string): string {
  return address.replace(/\/\/[^/@]*@/, "//(hidden)@").replace(/\?.*$/, "");
}

/** The hash distinguishes targets that differ only by their queries. */
function nameOf({ protocol, hostname, port, pathname, search }: URL): string {
  const shownPort = port === "" ? (protocol === "https:" ? "443" : "80") : port;
  const query = search === "" ? "" : `?${createHash("sha256").update(search).digest("hex").slice(0, 8)}`;
  const isUsual = protocol === "http:" && pathname === defaultPath && query === "";
  return isUsual ? `${hostname}:${shownPort}` : `${protocol}//${hostname}:${shownPort}${pathname}${query}`;
}
