import { metrics } from "../../src/domain/metrics.ts";
import { xorshift } from "../support/exporter-csv.ts";

const gpuCount = 8;
/** With the metrics of the catalogue, about as many as an exporter with a full list of counters has. */
const lanes = Array.from({ length: 8 }, (_, lane) => `DCGM_FI_DEV_NVLINK_BANDWIDTH_L${lane + 1}`);
const names = [...metrics.map(({ dcgmField }) => dcgmField), ...lanes];

/** The number of samples of an exposition. */
export const samplesOfExposition = names.length * gpuCount;

/** Expositions of dcgm-exporter on a Kubernetes node with eight H100s, as a scrape receives them one after the other: the same series,
 *  other values. */
export function expositions(count: number): string[] {
  const random = xorshift(42);
  const labelsOfGpus = Array.from({ length: gpuCount }, (_, gpu) => labelsOf(gpu, random));
  return Array.from({ length: count }, () => names.map((name) => family(name, labelsOfGpus, random)).join(""));
}

function family(name: string, labelsOfGpus: readonly string[], random: () => number): string {
  const lines = labelsOfGpus.map((labels) => `${name}{${labels}} ${valueOf(name, random)}\n`);
  return `# HELP ${name} The value of ${name} of a GPU (as DCGM reports it).\n# TYPE ${name} gauge\n${lines.join("")}`;
}

function labelsOf(gpu: number, random: () => number): string {
  const uuid = [8, 4, 4, 4, 12].map((length) => hexadecimal(length, random)).join("-");
  const device = `gpu="${gpu}",UUID="GPU-${uuid}",pci_bus_id="00000000:${hexadecimal(2, random).toUpperCase()}:00.0",device="nvidia${gpu}"`;
  const host = 'modelName="NVIDIA H100 80GB HBM3",Hostname="ip-100-64-171-120.ec2.internal"';
  const pod = `container="trainer",namespace="research",pod="llm-train-worker-${gpu}-${hexadecimal(5, random)}"`;
  return `${device},${host},DCGM_FI_DRIVER_VERSION="580.105.08",${pod}`;
}

/** DCGM's exporter prints integers without a dot, and doubles with six decimals. */
function valueOf(name: string, random: () => number): string {
  if (name.includes("_PROF_")) return random().toFixed(6);
  if (name.includes("POWER_USAGE")) return (random() * 700).toFixed(6);
  if (name.includes("ENERGY")) return String(Math.round(random() * 9e13));
  return String(Math.round(random() * 100));
}

function hexadecimal(length: number, random: () => number): string {
  return Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join("");
}
