import type { Row } from "./rules-for-rows.ts";

/** Something that the simulation does not do to a fleet: the function changes rows, or adds some. */
type Trouble = (rows: readonly Row[], random: () => number) => Row[];

/** Applies all troubles to the rows of a fleet. */
export function troubled(rows: readonly Row[], random: () => number): Row[] {
  return troubles.reduce((changed, trouble) => trouble(changed, random), [...rows]);
}

/** The rows as a file in the exporter's layout, with every cell quoted.
 *  @param columns the order of the columns */
export function csvOf(rows: readonly Row[], columns: readonly string[]): string {
  const line = (row: Row): string =>
    columns.map((column) => `"${(row[column] ?? "").replaceAll('"', '""')}"`).join(",");
  return `${columns.join(",")}\n${rows.map((row) => `${line(row)}\n`).join("")}`;
}

/** The rows in another order. */
export function shuffled<Element>(elements: readonly Element[], random: () => number): Element[] {
  const order = elements.map((element) => [random(), element] as const);
  return order.sort(([a], [b]) => a - b).map(([, element]) => element);
}

const picked = <Element>(elements: readonly Element[], random: () => number): Element =>
  elements[Math.floor(random() * elements.length)] as Element;

const instantsOf = (rows: readonly Row[]): string[] => [...new Set(rows.map((row) => row["timestamp"] ?? ""))].sort();
const uuidsOf = (rows: readonly Row[]): string[] => [...new Set(rows.map((row) => row["uuid"] ?? ""))].sort();
const hostsOf = (rows: readonly Row[]): string[] => [...new Set(rows.map((row) => row["Hostname"] ?? ""))].sort();

/** The instant at this share of the file's time. */
function instantAt(rows: readonly Row[], share: number): string {
  const instants = instantsOf(rows);
  return instants[Math.floor(instants.length * share)] ?? "";
}

function withLabel(row: Row, name: string, text: string): Row {
  const labels = row["labels_raw"] ?? "";
  return { ...row, labels_raw: labels.replace(new RegExp(`(^|,)${name}="[^"]*"`), `$1${name}="${text}"`) };
}

function onHost(row: Row, hostname: string, gpuId = row["gpu_id"] ?? ""): Row {
  const moved = { ...row, Hostname: hostname, gpu_id: gpuId, device: `nvidia${gpuId}` };
  return withLabel(withLabel(moved, "Hostname", hostname), "instance", `${hostname}:9400`);
}

const repeated: Trouble = (rows, random) => [...rows, ...rows.filter(() => random() < 0.02).map((row) => ({ ...row }))];

/** Some samples come again with a lower value, which is in every metric's range. */
const contradicted: Trouble = (rows, random) => {
  const isHigher = (row: Row): boolean => Number(row["value"]) > 1 && random() < 0.02;
  return [
    ...rows,
    ...rows.filter(isHigher).map((row) => ({ ...row, value: String(Math.floor(Number(row["value"]) / 2)) })),
  ];
};

/** The driver of a host is replaced. */
const newDriver: Trouble = (rows, random) => {
  const [host, from] = [picked(hostsOf(rows), random), instantAt(rows, 0.4)];
  const isLater = (row: Row): boolean => row["Hostname"] === host && (row["timestamp"] ?? "") >= from;
  return rows.map((row) => (isLater(row) ? withLabel(row, "DCGM_FI_DRIVER_VERSION", "580.65.06") : row));
};

/** Two GPUs move to another host; the second one moves back later. */
const moves: Trouble = (rows, random) => {
  const [first, second] = shuffled(uuidsOf(rows), random);
  const [out, back] = [instantAt(rows, 0.3), instantAt(rows, 0.7)];
  const isAway = ({ uuid, timestamp = "" }: Row): boolean =>
    timestamp >= out && (uuid === first || (uuid === second && timestamp < back));
  return rows.map((row) => (isAway(row) ? onHost(row, "sim-spare", row["uuid"] === first ? "0" : "1") : row));
};

/** From an instant on, the rows of some GPUs do not name the model, the device and the driver. */
const open: Trouble = (rows, random) => {
  const gpus = shuffled(uuidsOf(rows), random).slice(0, 4);
  const from = instantAt(rows, 0.6);
  return rows.map((row) => {
    if (!gpus.includes(row["uuid"] ?? "") || (row["timestamp"] ?? "") < from) return row;
    return withLabel({ ...row, modelName: "", device: "" }, "DCGM_FI_DRIVER_VERSION", "");
  });
};

/** Two GPUs are on two hosts at an instant, as after a machine is cloned. The clone's name sorts first for one GPU, and last
 *  for the other GPU. */
const cloned: Trouble = (rows, random) => {
  const [first, second] = shuffled(uuidsOf(rows), random);
  const at = instantAt(rows, 0.5);
  const clones = (uuid: string | undefined, host: string): Row[] =>
    rows.filter((row) => row["uuid"] === uuid && row["timestamp"] === at).map((row) => onHost(row, host));
  return [...rows, ...clones(first, "a-clone"), ...clones(second, "z-clone")];
};

/** Prometheus has scraped the exporter of a host: the labels for the pod name the exporter's own pod. */
const renamed: Trouble = (rows, random) => {
  const host = picked(hostsOf(rows), random);
  return rows.map((row) => {
    if (row["Hostname"] !== host) return row;
    const { container = "", pod = "", namespace = "", labels_raw: labels = "" } = row;
    const exported = `exported_container="${container}",exported_namespace="${namespace}",exported_pod="${pod}"`;
    const own = { container: "exporter", pod: `dcgm-exporter-${host}`, namespace: "gpu-operator" };
    return { ...row, ...own, labels_raw: `${labels},${exported}` };
  });
};

/** On one host, only the labels name the workloads. On another one, the pod of idle GPUs is the exporter's own, as after a scrape by
 *  Prometheus. */
const misplaced: Trouble = (rows, random) => {
  const [labelled, scraped] = shuffled(hostsOf(rows), random);
  return rows.map((row) => {
    const { container = "", pod = "", namespace = "", labels_raw: labels = "" } = row;
    if (row["Hostname"] === scraped && pod === "") {
      return { ...row, container: "exporter", pod: "nvidia-dcgm-exporter-7x2kq", namespace: "gpu-operator" };
    }
    if (row["Hostname"] !== labelled || pod === "" || /(^|,)(exported_)?pod=/.test(labels)) return row;
    const workload = `container="${container}",pod="${pod}",namespace="${namespace}"`;
    return { ...row, container: "", pod: "", namespace: "", labels_raw: `${labels},${workload}` };
  });
};

/** Some series of the exporter's windows come a second time, for a window twice as long. */
const secondWindow: Trouble = (rows, random) => {
  const window = 'window_size_in_ms="300000"';
  const some = rows.filter((row) => row["labels_raw"]?.includes(window) === true && random() < 0.5);
  return [
    ...rows,
    ...some.map((row) => ({
      ...row,
      value: String(Number(row["value"]) + 1),
      labels_raw: (row["labels_raw"] ?? "").replace(window, 'window_size_in_ms="600000"'),
    })),
  ];
};

/** Some GPUs name their serial number once, in a row of its own. */
const described: Trouble = (rows, random) => {
  const gpus = shuffled(uuidsOf(rows), random).slice(0, 6);
  const firstRows = gpus.map((uuid): Row => ({ ...rows.find((row) => row["uuid"] === uuid) }));
  const named = firstRows.map((row, index) => ({ ...row, metric_name: "DCGM_FI_DEV_SERIAL", value: `16500${index}` }));
  return [...rows, ...named.map((row) => ({ ...row, pod: "of-a-text" }))];
};

/** Some rows have a uuid that means "unknown". */
const nameless: Trouble = (rows, random) => {
  const some = Array.from({ length: 6 }, () => picked(rows, random));
  return [...rows, ...some.map((row, index) => ({ ...row, uuid: ["N/A", "[N/A]", "Unknown"][index % 3] ?? "" }))];
};

const troubles = [
  newDriver,
  moves,
  open,
  misplaced,
  secondWindow,
  renamed,
  described,
  repeated,
  contradicted,
  cloned,
  nameless,
];
