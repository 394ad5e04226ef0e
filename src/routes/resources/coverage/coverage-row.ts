import { type Static, Type } from "@sinclair/typebox";
import { coverageBases, type CoverageGrouping, type CoverageRow } from "../../../domain/coverage.ts";
import { readingFaults } from "../../../domain/reading.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

/** The coverage of a group in an hour or range, as the API shows it. */
export const coverageSchema = Type.Object(
  {
    timestamp: instant("Beginning of the hour, UTC; with step=total, of the range"),
    cluster_id: Type.Optional(Type.String({ description: "Cluster; absent by target" })),
    hostname: Type.Optional(Type.String({ description: "Host; only by device and host" })),
    uuid: Type.Optional(
      Type.String({
        description:
          "UUID of the GPU or MIG instance; only by device. Empty for declared GPUs of a host that never reported",
      }),
    ),
    source_id: Type.Optional(
      Type.String({ description: "Live source, such as scrape:lab:gpu-01:9400; only by target" }),
    ),
    devices: wholeNumber({
      minimum: 0,
      description: "Devices of which readings were expected or received; by target, those that it has reported",
    }),
    expected: Type.Optional(
      wholeNumber({
        minimum: 0,
        description:
          "Readings that were due, counted for each device; by target, each counts once. Absent if it is not known",
      }),
    ),
    received: wholeNumber({ minimum: 0, description: "Readings that are stored: records of the devices" }),
    missing: wholeNumber({ minimum: 0, description: "Expected readings that were not received: the sum of missed" }),
    missed: Type.Record(Type.String(), wholeNumber({ minimum: 1 }), {
      description:
        `Reason -> number of missing readings: ${readingFaults.join(", ")}; absent: the source was read without the device; ` +
        "not_listed: no list of targets had the source any more; unknown: one of these, or absent; never_seen: the device was declared, and has never reported; unreported: no streamer has reported yet what became of them",
    }),
    maintenance: wholeNumber({
      minimum: 0,
      description: "Readings that were due under maintenance and not received; they are not expected",
    }),
    late: wholeNumber({
      minimum: 0,
      description: "Received readings that were stored later than one interval after their time",
    }),
    frozen: Type.Optional(
      wholeNumber({
        minimum: 0,
        description:
          "Readings in which the exporter repeated a device's old values, counted for each device, also by target. Absent by " +
          "device if a streamer of an earlier version did not say of which devices",
      }),
    ),
    quarantined: Type.Optional(
      wholeNumber({ minimum: 0, description: "Rejected inputs of the group's sources; absent by device" }),
    ),
    basis: Type.Union(
      coverageBases.map((basis) => Type.Literal(basis)),
      {
        description:
          "How it is known what was expected. schedule: from the schedule of a live source; learned: from the usual time between the " +
          "device's records, as for files; declared: from the usual interval of the host or cluster, for declared devices that have never reported; mixed: several of these; unknown: there are too few records",
      },
    ),
    interval_seconds: Type.Optional(
      Type.Number({ description: "Time from one reading to the next; absent if it is not the same everywhere" }),
    ),
  },
  {
    $id: "Coverage",
    additionalProperties: false,
    description: "What was expected of a group in an hour, and what was received",
    examples: [
      {
        timestamp: "2025-07-18T20:00:00Z",
        cluster_id: "lab",
        hostname: "gpu-01",
        devices: 1,
        expected: 240,
        received: 236,
        missing: 4,
        missed: { timeout: 3, absent: 1 },
        maintenance: 0,
        late: 2,
        frozen: 0,
        quarantined: 0,
        basis: "schedule",
        interval_seconds: 15,
      },
    ],
  },
);

/** The fields that identify a group, in the order of its values. */
const groupFields: Readonly<Record<CoverageGrouping, readonly string[]>> = {
  device: ["cluster_id", "hostname", "uuid"],
  host: ["cluster_id", "hostname"],
  cluster: ["cluster_id"],
  target: ["source_id"],
};

/** The coverage of a group, in the API's shape. */
export function toApiCoverage(row: CoverageRow, groupBy: CoverageGrouping): Static<typeof coverageSchema> {
  const {
    timeMs,
    group,
    devices,
    expected,
    received,
    missed,
    maintenance,
    late,
    frozen,
    quarantined,
    basis,
    intervalMs,
  } = row;
  return {
    timestamp: formatTimestamp(timeMs),
    ...Object.fromEntries(groupFields[groupBy].map((name, index) => [name, group[index] ?? ""])),
    devices,
    ...defined({ expected }),
    received,
    missing: Object.values(missed).reduce((sum, count) => sum + count, 0),
    missed: { ...missed },
    maintenance,
    late,
    ...defined({ frozen, quarantined }),
    basis,
    ...defined({ interval_seconds: intervalMs === undefined ? undefined : intervalMs / 1000 }),
  };
}
