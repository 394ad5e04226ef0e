import { expect, test } from "bun:test";
import { seriesLabels, seriesName } from "../../src/domain/series.ts";
import { recordWithin } from "../../src/domain/within-bounds.ts";

const own = { namespace: "team-a", pod: "own-pod", container: "main" };
const other = { namespace: "team-b", pod: "other-pod", container: "main" };
const gpu = {
  ...{ uuid: "GPU-1", clusterId: "c", hostname: "h", gpuId: 0, device: "nvidia0" },
  ...{ modelName: "H100", driverVersion: "535", properties: {} },
};

/** The series that a caller sees of a GPU that a workload of its namespace and one of another share. */
function seen(series: readonly string[], bounds: Parameters<typeof recordWithin>[0] = { namespaces: ["team-a"] }) {
  const custom = Object.fromEntries(series.map((name, index) => [name, index]));
  return Object.keys(recordWithin(bounds, { gpu, occupants: [own, other], custom })?.custom ?? {});
}

const shown = [
  "own_plain_metric",
  ...seriesLabels.filter((label) => label !== "vgpu").map((label) => seriesName("part", { [label]: "1" })),
  'part{NVLINK="1",xid="31"}',
  'requests{namespace="team-a",pod="own-pod"}',
  'requests{exported_namespace="team-a",vgpu="v1",user="ann"}',
  'requests{pod="own-pod"}',
  'requests{container="main",pod="own-pod",vgpu="v1"}',
  'requests{exported_pod_name="own-pod"}',
];

/** Names of users, jobs, programs, processes and virtual machines, and of those of others. */
const hidden = [
  ...["vgpu", "VGPU", "user", "username", "uid", "hpc_job", "slurm_job_id", "job_id", "pod_uid", "account"].map(
    (label) => seriesName("requests", { [label]: "SECRET" }),
  ),
  ...["process", "process_name", "program", "pid", "kfd_process_id", "vm_id", "vm_name", "domain", "unheard_of"].map(
    (label) => seriesName("requests", { [label]: "SECRET" }),
  ),
  'requests{vgpu="SECRET",xid="31"}',
  'requests{namespace="team-b",pod="own-pod"}',
  'requests{namespace="team-a",exported_namespace="team-b"}',
  'requests{pod="other-pod"}',
  'requests{container="secret",pod="own-pod"}',
  'requests{container="main"}',
  // no labels that can be read
  ...['requests{user="SECRET", xid="31"}', 'requests{user="SECRET",user="SECRET"}', "requests{user=SECRET}"],
];

test("a caller of some namespaces sees the series of the device and of own workloads only, whatever else labels name", () => {
  expect(seen([...shown, ...hidden])).toEqual(shown);
});

test("a caller of some hosts sees all series of their GPUs", () => {
  expect(seen([...shown, ...hidden], { hosts: ["h"] })).toEqual([...shown, ...hidden]);
});
