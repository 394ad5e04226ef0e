import type { RecordBatch } from "../batch.ts";
import { noOccupants, noWorkload, type Occupants, occupantsOf, type Workload } from "../gpu.ts";
import type { PayloadV1 } from "./payload-v1.ts";

type OccupantColumns = Pick<PayloadV1, "workloads" | "workloadIndexes" | "sharing" | "sharingIndexes">;
type BatchOccupants = Pick<RecordBatch, "occupants" | "occupantsIndexes">;

/** Encodes the occupants of a batch's records. Readers that know only one workload for each record find the first occupant. */
export function toOccupantColumns({ occupants, occupantsIndexes }: BatchOccupants): OccupantColumns {
  const dictionary = new WorkloadDictionary();
  const sharing: number[][] = [];
  const firstIndexes: number[] = [];
  const sharingIndexes: number[] = [];
  for (const set of occupants) {
    const [first = 0, ...others] = set.map((workload) => dictionary.indexOf(workload));
    firstIndexes.push(first);
    sharingIndexes.push(others.length === 0 ? 0 : sharing.push([first, ...others]));
  }
  const ofEach = (indexes: readonly number[]): number[] =>
    Array.from(occupantsIndexes, (set) => indexes[set] as number);
  return {
    workloads: dictionary.workloads,
    ...(occupants.length > 1 ? { workloadIndexes: ofEach(firstIndexes) } : {}),
    ...(sharing.length > 0 ? { sharing, sharingIndexes: ofEach(sharingIndexes) } : {}),
  };
}

/** Decodes the occupants. An index beyond the end of `workloads` or `sharing` gives `notFound`. */
export function fromOccupantColumns(payload: OccupantColumns & Pick<PayloadV1, "records">): BatchOccupants {
  const { workloads, workloadIndexes, sharing = [], sharingIndexes = [] } = payload;
  const occupants: Occupants[] = [noOccupants];
  const known = new Map<string, number>([["0", 0]]);
  const indexOf = (indexes: readonly number[]): number => {
    const key = indexes.join();
    const index =
      known.get(key) ??
      added(
        occupants,
        indexes.map((each) => workloads[each]),
      );
    known.set(key, index);
    return index;
  };
  const indexes = Uint32Array.from({ length: payload.records }, (_, record) => {
    const shared = sharingIndexes[record] ?? 0;
    return indexOf(shared === 0 ? [workloadIndexes?.[record] ?? 0] : (sharing[shared - 1] ?? [workloads.length]));
  });
  return { occupants, occupantsIndexes: indexes };
}

const notFound = 0xffff_ffff;

function added(occupants: Occupants[], workloads: readonly (Workload | undefined)[]): number {
  if (workloads.includes(undefined)) return notFound;
  const set = occupantsOf(workloads as Workload[]);
  return set.length === 0 ? 0 : occupants.push(set) - 1;
}

/** The workloads of a payload; element 0 is `noWorkload`. */
class WorkloadDictionary {
  readonly workloads: Workload[] = [noWorkload];
  private readonly indexes = new Map<string, number>();

  indexOf(workload: Workload): number {
    const key = JSON.stringify([workload.namespace, workload.pod, workload.container]);
    const index = this.indexes.get(key) ?? this.workloads.push(workload) - 1;
    this.indexes.set(key, index);
    return index;
  }
}
