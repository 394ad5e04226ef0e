import fc from "fast-check";
import type { GpuBounds } from "../../../src/domain/gpu-bounds.ts";
import type { Workload } from "../../../src/domain/gpu.ts";

// Two fleets that differ only in what a selector leaves out. Names that only one of them has contain `secretA` or `secretB`.

/** A part of a record. Parts of one GPU and instant become one record, with the workloads of all parts. */
export interface Part {
  readonly uuid: string;
  readonly clusterId: string;
  readonly hostname: string;
  readonly gpuId: number;
  readonly driverVersion: string;
  readonly workload?: Workload;
  readonly metrics: Readonly<Record<string, number>>;
}

/** What both fleets get at an instant, or only one of them. */
export interface Moment {
  readonly atMs: number;
  readonly both: readonly Part[];
  readonly only: readonly [readonly Part[], readonly Part[]];
}

export interface World {
  readonly selector: GpuBounds;
  readonly moments: readonly Moment[];
  /** The state of the first own host, if an operator has said something of it. */
  readonly hostState: "maintenance" | "decommission" | undefined;
}

/** The first instant of a world; its moments are within some hours of it. */
export const worldStartMs = Date.UTC(2025, 6, 18, 20, 42, 34);
/** The last instant at which a world may have records. */
export const worldEndMs = worldStartMs + 4 * 3_600_000;

export const sides = ["secretA", "secretB"] as const;
export const own = {
  clusters: ["own-cluster"],
  hosts: ["own-host", "own-host-2"],
  namespaces: ["own-team", "own-other"],
  // the instance is not one of GPU-own-1: a GPU is where its instance is, so it would leave when the instance does, in one fleet only
  uuids: ["GPU-own-0", "GPU-own-1", "GPU-own-2:mig:3:1g.10gb"],
} as const;

/** Labels by which series name others without their namespace. */
const namingLabels = ["vgpu", "user", "hpc_job", "process", "pod_uid", "vm_name"];

const steps = [1000, 20_000, 65_000, 1_500_000];

/** Draws values; fast-check shrinks what was drawn. */
export class Draw {
  constructor(private readonly generate: fc.GeneratorValue) {}

  pick<Value>(values: readonly Value[]): Value {
    // an index, not a value: it shrinks towards the first value
    return values[this.generate(fc.nat, { max: values.length - 1 })] as Value;
  }

  upTo(max: number): number {
    return this.generate(fc.nat, { max });
  }

  isOneIn(count: number): boolean {
    return this.upTo(count - 1) === count - 1;
  }
}

export const arbitraryWorld: fc.Arbitrary<World> = fc.gen().map((generate) => worldOf(new Draw(generate)));

function worldOf(draw: Draw): World {
  const selector = selectorOf(draw);
  const moments = new Map<number, { both: Part[]; only: [Part[], Part[]] }>();
  const at = (atMs: number) => {
    const known = moments.get(atMs) ?? { both: [], only: [[], []] as [Part[], Part[]] };
    moments.set(atMs, known);
    return known;
  };
  own.uuids.slice(0, 1 + draw.upTo(2)).forEach((uuid, index) => addOwnGpu({ draw, selector, at, uuid, index }));
  for (const side of [0, 1] as const) addForeignGpus({ draw, selector, at, side });
  const listed = [...moments].map(([atMs, parts]) => ({ atMs, ...parts })).sort((a, b) => a.atMs - b.atMs);
  return { selector, moments: listed, hostState: draw.pick([undefined, undefined, "maintenance", "decommission"]) };
}

function selectorOf(draw: Draw): GpuBounds {
  const { clusters, hosts, namespaces } = own;
  return draw.pick<GpuBounds>([
    { namespaces },
    { hosts },
    { clusters },
    { clusters, namespaces: ["own-team"] },
    { hosts, namespaces },
    { clusters, hosts },
    { clusters, hosts, namespaces },
  ]);
}

interface Adding {
  readonly draw: Draw;
  readonly selector: GpuBounds;
  readonly at: (atMs: number) => { both: Part[]; only: [Part[], Part[]] };
}

/** A GPU that is within the selector at some instants of its life. Both fleets have the same records of these instants, and a record
 *  at the instant at which it has left; what the latter says, and which others follow before it is back, differs. */
function addOwnGpu({
  draw,
  selector,
  at,
  uuid,
  index,
}: Adding & { readonly uuid: string; readonly index: number }): void {
  let atMs = worldStartMs + draw.pick(steps);
  let isWithin = !draw.isOneIn(4);
  // before it was first within, nobody need have seen it
  let hasLeft = true;
  const place = { uuid, clusterId: "own-cluster", hostname: draw.pick(own.hosts), gpuId: index };
  const count = 2 + draw.upTo(6);
  for (let step = 0; step < count; step += 1) {
    if (isWithin) addOwnRecord({ draw, selector, at }, place, atMs);
    else {
      for (const side of [0, 1] as const) {
        if (!hasLeft || draw.isOneIn(2)) at(atMs).only[side].push(awayPart({ draw, selector, side }, place));
        const between = atMs + 1 + side + draw.upTo(900);
        if (draw.isOneIn(3)) at(between).only[side].push(awayPart({ draw, selector, side }, place));
      }
    }
    hasLeft = !isWithin;
    if (draw.isOneIn(3)) isWithin = !isWithin;
    atMs += draw.pick(steps);
  }
}

type Place = Pick<Part, "uuid" | "clusterId" | "hostname" | "gpuId">;

function addOwnRecord({ draw, selector, at }: Adding, place: Place, atMs: number): void {
  const { namespaces = own.namespaces } = selector;
  const namespace = draw.pick(namespaces);
  const workload = { namespace, pod: `own-pod-${draw.upTo(1)}`, container: "main" };
  const isHeld = selector.namespaces !== undefined || draw.isOneIn(2);
  const part: Part = {
    ...place,
    driverVersion: draw.pick(["535", "540"]),
    ...(isHeld ? { workload } : {}),
    metrics: {
      ...metricsOf(draw),
      ...(isHeld && draw.isOneIn(2)
        ? { [`own_metric{namespace="${namespace}",pod="${workload.pod}"}`]: draw.upTo(9) }
        : {}),
      ...(draw.isOneIn(3) ? { own_plain_metric: draw.upTo(9), 'own_metric{nvlink="1"}': draw.upTo(9) } : {}),
    },
  };
  at(atMs).both.push(part);
  if (selector.namespaces === undefined) return;
  for (const side of [0, 1] as const) {
    // another team's workload shares the GPU
    if (!draw.isOneIn(3)) continue;
    const foreign = foreignWorkload(draw, side);
    const name = draw.pick([
      `foreign_metric{namespace="${foreign.namespace}",pod="${foreign.pod}"}`,
      ...namingLabels.map((label) => `foreign_metric{${label}="${sides[side]}-${label}"}`),
    ]);
    at(atMs).only[side].push({
      ...part,
      workload: foreign,
      metrics: draw.isOneIn(2) ? { [name]: 1 + draw.upTo(9) } : {},
    });
  }
}

type Side = 0 | 1;
type Foreign = Pick<Adding, "draw" | "selector"> & { readonly side: Side };

/** A record of an own GPU while it is not within the selector. */
function awayPart({ draw, selector, side }: Foreign, place: Place): Part {
  const isElsewhere = selector.namespaces === undefined || draw.isOneIn(3);
  const elsewhere = isElsewhere ? foreignPlace({ draw, selector, side }) : {};
  return { ...place, ...elsewhere, ...foreignContent({ draw, selector, side }) };
}

function addForeignGpus({ side, ...adding }: Adding & { readonly side: Side }): void {
  const { draw, selector, at } = adding;
  const count = draw.upTo(3);
  for (let index = 0; index < count; index += 1) {
    const uuid = `GPU-${sides[side]}-${index}${draw.isOneIn(4) ? ":mig:3:1g.10gb" : ""}`;
    const place = { uuid, gpuId: draw.upTo(3), ...foreignPlace({ draw, selector, side }) };
    for (let step = draw.upTo(3); step >= 0; step -= 1) {
      const atMs = worldStartMs + draw.upTo(worldEndMs - worldStartMs);
      at(atMs).only[side].push({ ...place, ...foreignContent({ draw, selector, side }) });
    }
  }
}

/** A place that is not within the selector as far as it has places; any place if it has none. */
function foreignPlace({ draw, selector, side }: Foreign): Pick<Part, "clusterId" | "hostname"> {
  const cluster = `${sides[side]}-cluster`;
  const host = `${sides[side]}-host`;
  const { clusters, hosts } = selector;
  const places = [
    { clusterId: cluster, hostname: host },
    ...(clusters === undefined && hosts !== undefined ? [] : [{ clusterId: cluster, hostname: own.hosts[0] }]),
    ...(hosts === undefined && clusters !== undefined ? [] : [{ clusterId: "own-cluster", hostname: host }]),
    ...(clusters === undefined && hosts === undefined ? [{ clusterId: "own-cluster", hostname: own.hosts[1] }] : []),
  ];
  return draw.pick(places);
}

function foreignContent({ draw, side }: Foreign): Pick<Part, "driverVersion" | "workload" | "metrics"> {
  const workload = draw.isOneIn(4) ? {} : { workload: foreignWorkload(draw, side) };
  const series = draw.isOneIn(3) ? { [`${sides[side]}_metric{pod="${sides[side]}-pod"}`]: 1 } : {};
  return { driverVersion: `${sides[side]}-driver`, ...workload, metrics: { ...metricsOf(draw), ...series } };
}

function foreignWorkload(draw: Draw, side: Side): Workload {
  return { namespace: `${sides[side]}-team`, pod: draw.pick([`${sides[side]}-pod`, "own-pod-0"]), container: "main" };
}

function metricsOf(draw: Draw): Record<string, number> {
  return { temperature: 20 + draw.upTo(60), ...(draw.isOneIn(2) ? { power_draw: 100 + draw.upTo(300) } : {}) };
}
