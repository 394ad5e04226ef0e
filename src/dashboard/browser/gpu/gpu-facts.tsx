import { missedText, shareText } from "../../model/coverage-text.ts";
import { type DeviceState, holderText } from "../../model/device.ts";
import { ageText, dateText, memoryText, metricText } from "../../model/format.ts";
import type { TimeWindow } from "../../model/time-choice.ts";
import { nowMs } from "../clock.ts";
import { StateTile } from "../frame/state-tile.tsx";
import { Tile, Tiles } from "../frame/facts.tsx";
import { useAnswer } from "../frame/use-answer.ts";
import { type Gpu, readCoverage } from "../live/device-api.ts";
import { msOf } from "../live/gateway-api.ts";
import type { LiveFleet } from "../live/live-fleet.ts";

interface GpuFactsOptions {
  readonly live: LiveFleet;
  readonly position: number;
  /** Undefined: not read yet. */
  readonly gpu: Gpu | undefined;
  readonly window: TimeWindow;
}

const coverageEveryMs = 30_000;

/** What a GPU says now, whether it reports, how much of its telemetry is there, and what it is. */
export function GpuFacts({ live, position, gpu, window }: GpuFactsOptions) {
  const { data } = live;
  const uuid = data.devices[position]?.uuid ?? "";
  const number = (metric: "gpu_utilization" | "power_draw" | "temperature"): string =>
    metricText(metric, data.value(metric, position));
  const [used = NaN, free = NaN] = [data.field("memory_used_mb")[position], data.field("memory_free_mb")[position]];
  const lengthMs = window.toMs - window.fromMs;
  const coverage = useAnswer(() => readCoverage({ gpu_uuid: uuid }, window), coverageEveryMs, [uuid, lengthMs]);
  const atMs = data.timesMs[position] ?? -Infinity;
  const age = atMs === -Infinity ? "no record yet" : `${ageText(atMs, nowMs())} ago`;
  const state: DeviceState = data.stateOf(position);
  return (
    <>
      <Tiles label="Present values">
        <StateTile filter={{ gpu_uuid: uuid }} isStale={state === "stale"} newest={age} />
        <Tile id="utilization" name="Utilization" value={number("gpu_utilization")} />
        <Tile id="memory" name="Memory" value={memoryText(used, free)} />
        <Tile id="power" name="Power" value={number("power_draw")} />
        <Tile id="temperature" name="Temperature" value={number("temperature")} />
        <Tile id="coverage" name="Coverage" value={shareText(coverage.value)}>
          {missedText(coverage.value)}, in the hours of this window
        </Tile>
      </Tiles>
      <Attributes holder={holderText(data.holders[position] ?? [])} uuid={uuid} gpu={gpu} />
    </>
  );
}

function Attributes({
  uuid,
  gpu,
  holder,
}: {
  readonly uuid: string;
  readonly gpu: Gpu | undefined;
  readonly holder: string;
}) {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["Held by", holder === "" ? "no workload" : holder],
    ["Model", gpu?.name],
    ["UUID", uuid],
    ["Cluster", gpu?.cluster_id],
    ["Device", gpu?.device],
    ["Driver", gpu?.driver_version],
    ["MIG profile", gpu?.mig_profile],
    ["First seen", gpu === undefined ? undefined : dateText(msOf(gpu.first_seen_at))],
    ...Object.entries(gpu?.properties ?? {}),
  ];
  return (
    <dl class="attributes" aria-label="Attributes">
      {facts.map(([name, value]) =>
        value === undefined || value === "" ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
