import { describe, expect, test } from "bun:test";
import { dueMs, openTarget, sample, valuesOn } from "./read-exposition.ts";

const ratio = "DCGM_FI_DEV_GPU_UTIL_RATIO";
const textOf = (...lines: readonly string[]): string => `${lines.join("\n")}\n`;
const utilization = (reading: ReturnType<ReturnType<typeof openTarget>>) =>
  valuesOn(reading, "GPU-1")["gpu_utilization"];

describe("DCGM_FI_DEV_GPU_UTIL_RATIO is a percentage in DCGM 4.6 and a ratio in DCGM 4.7", () => {
  test("a name that only DCGM 4.7 has decides, in the same exposition and in later ones", () => {
    const target = openTarget();
    expect(utilization(target(textOf(sample(ratio, 0.87), sample("DCGM_FI_DEV_FB_CAPACITY_BYTES", 1048576))))).toBe(87);
    expect(utilization(target(textOf(sample(ratio, 0.07))))).toBe(7);
    const label = ',DCGM_FI_SYSTEM_DRIVER_VERSION="610.1"';
    expect(utilization(openTarget()(textOf(sample(ratio, 1, label))))).toBe(100);
  });

  test("its HELP decides", () => {
    const help = (text: string) => `# HELP ${ratio} ${text}`;
    expect(utilization(openTarget()(textOf(help("GPU utilization (in %)."), sample(ratio, 1))))).toBe(1);
    expect(utilization(openTarget()(textOf(help("GPU utilization, ratio (0.0-1.0)."), sample(ratio, 1))))).toBe(100);
  });

  test("until something decides, a value is quarantined; a value above 1 is a percentage, and decides", () => {
    const target = openTarget();
    const undecided = target(textOf(sample(ratio, 0.87), sample("DCGM_FI_DEV_GPU_TEMP_CELSIUS", 60)));
    expect(undecided).toMatchObject({ undecided: 1, rejected: 1, samples: 1 });
    expect(undecided.rejections[0]).toMatchObject({ line: 1, reason: "invalid_value", field: ratio, value: "0.87" });
    expect(target(textOf(sample(ratio, 1)))).toMatchObject({ undecided: 1, samples: 0 });
    expect(utilization(target(textOf(sample(ratio, 0))))).toBe(0);
    expect(utilization(target(textOf(sample(ratio, 87))))).toBe(87);
    expect(utilization(target(textOf(sample(ratio, 1))))).toBe(1);
  });

  test("a ratio that exceeds 1 by its rounding is no percentage", () => {
    const target = openTarget();
    expect(target(textOf(sample(ratio, "1.002000")))).toMatchObject({ undecided: 1, samples: 0 });
    expect(target(textOf(sample(ratio, "0.500000")))).toMatchObject({ undecided: 1, samples: 0 });
  });

  test("nonsense decides nothing", () => {
    const target = openTarget();
    expect(target(textOf(sample(ratio, 808334905)))).toMatchObject({ undecided: 0, rejected: 1 });
    expect(target(textOf(sample(ratio, 1)))).toMatchObject({ undecided: 1 });
  });

  test("an exporter that was replaced is decided again", () => {
    const target = openTarget();
    expect(utilization(target(textOf(sample(ratio, 87))))).toBe(87);
    // a percentage of DCGM 4.6 has no decimals
    expect(target(textOf(sample(ratio, 0.87)))).toMatchObject({ undecided: 1, samples: 0 });
    expect(utilization(target(textOf(sample(ratio, 0.87), sample("DCGM_FI_DEV_FB_USED_BYTES", 0))))).toBe(87);
    // a 1 without a name that only DCGM 4.7 has may be of another exporter
    expect(target(textOf(sample(ratio, 1)))).toMatchObject({ undecided: 1, samples: 0 });
    expect(utilization(target(textOf(sample(ratio, 1), sample("DCGM_FI_DEV_FB_USED_BYTES", 0))))).toBe(100);
  });

  test("an exporter with other names is another one: its 1 is not read in the unit of the former", () => {
    const target = openTarget();
    expect(utilization(target(textOf(sample(ratio, 0.5), sample("DCGM_FI_DEV_FB_USED_BYTES", 0))))).toBe(50);
    const of46 = [sample(ratio, 1), sample("DCGM_FI_DEV_FB_USED", 0)];
    expect(target(textOf(...of46))).toMatchObject({ undecided: 1, samples: 1 });
    expect(
      utilization(target(textOf(...of46, sample(ratio, 37).replace('gpu="0",UUID="GPU-1"', 'gpu="1",UUID="GPU-2"')))),
    ).toBe(1);
    expect(utilization(target(textOf(...of46)))).toBe(1);
  });

  test("a value above 1 is a percentage although the HELP says ratio, and so is a 1 of the same exporter later", () => {
    const target = openTarget();
    const help = `# HELP ${ratio} GPU utilization, ratio (0.0-1.0).`;
    expect(utilization(target(textOf(help, sample(ratio, 87))))).toBe(87);
    expect(utilization(target(textOf(help, sample(ratio, 1))))).toBe(1);
    expect(utilization(target(textOf(help.replace("ratio (0.0-1.0)", "0 to 1"), sample(ratio, 1))))).toBe(100);
  });

  test("series of exporters with different units, as Prometheus hands them on, are quarantined together", () => {
    const other = sample(ratio, 87).replace('gpu="0",UUID="GPU-1"', 'gpu="1",UUID="GPU-2"');
    const text = textOf(sample(ratio, 1), other, sample("DCGM_FI_DEV_FB_USED_BYTES", 0));
    const reading = openTarget()(text);
    expect(reading).toMatchObject({ undecided: 1, samples: 2 });
    expect(valuesOn(reading, "GPU-2")).toEqual({ gpu_utilization: 87 });
  });

  test("the older name, whose unit is certain, counts if the exporter has both", () => {
    const reading = openTarget()(textOf(sample(ratio, 0.87), sample("DCGM_FI_DEV_GPU_UTIL", 87)));
    expect(reading).toMatchObject({ undecided: 0, rejected: 0, ignored: 1, samples: 1 });
    expect(utilization(reading)).toBe(87);
  });
});

test("a ratio is never taken for a percentage, although it is in the range of one", () => {
  const values = valuesOn(openTarget()(textOf(sample("DCGM_FI_DEV_ENC_UTIL_RATIO", 0.87))), "GPU-1");
  expect(values).toEqual({ enc_utilization: 87 });
});

test("NVLink's throughput in its two units is one rate, whatever TYPE the exporter declares", () => {
  const name = "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL";
  const older = openTarget()(textOf(`# TYPE ${name} counter`, sample(name, 12345)));
  const newer = openTarget()(textOf(sample("DCGM_FI_DEV_NVLINK_THROUGHPUT_BYTES_PER_SECOND", 12345 * 1_024_000)));
  expect(valuesOn(older, "GPU-1")).toEqual({ nvlink_bandwidth_total: 12345 });
  expect(valuesOn(newer, "GPU-1")).toEqual({ nvlink_bandwidth_total: 12345 });
});

test("XID and clock events of the exporter's window, and those since its start, are kept by their labels", () => {
  const window = ',window_size_in_ms="300000"';
  const reading = openTarget()(
    textOf(
      sample("DCGM_EXP_XID_ERRORS_COUNT", 2, `${window},xid="31"`),
      sample("DCGM_EXP_XID_ERRORS_COUNT", 1, `${window},xid="79"`),
      sample("DCGM_EXP_XID_ERRORS_TOTAL", 9, ',xid="31"'),
      sample("DCGM_EXP_CLOCK_EVENTS_TOTAL", 4, ',clock_event="sw_thermal"'),
    ),
  );
  expect(valuesOn(reading, "GPU-1")).toEqual({
    ...{ xid_errors: 3, xid_errors_total: 9, clock_events_total: 4 },
    'xid_errors{window_size_in_ms="300000",xid="31"}': 2,
    'xid_errors{window_size_in_ms="300000",xid="79"}': 1,
    'xid_errors_total{xid="31"}': 9,
    'clock_events_total{clock_event="sw_thermal"}': 4,
  });
});

test("the labels that explain an XID vary with it, and are no part of the GPU", () => {
  const target = openTarget();
  const first = target(textOf(sample("DCGM_FI_DEV_XID_ERRORS", 0, ',err_code="0",err_msg="No Error"')));
  const second = target(
    textOf(sample("DCGM_FI_DEV_XID_ERRORS", 79, ',err_code="79",err_msg="GPU has fallen off the bus"')),
  );
  expect(second.records[0]?.gpu).toEqual(first.records[0]?.gpu as never);
  expect(valuesOn(second, "GPU-1")).toEqual({ xid_error: 79 });
});

test("a GPU that appears once for each pod that shares it has one record with all of them", () => {
  const pod = (name: string) => `,pod="${name}",namespace="ml",container="c"`;
  const reading = openTarget()(
    textOf(
      sample("DCGM_FI_DEV_POWER_USAGE", 300, pod("a")),
      sample("DCGM_FI_DEV_POWER_USAGE", 300, pod("b")),
      sample("DCGM_FI_DEV_XID_ERRORS", 0, pod("a")),
    ),
  );
  expect(reading.records).toHaveLength(1);
  expect(valuesOn(reading, "GPU-1")).toEqual({ power_draw: 300, xid_error: 0 });
  expect(reading.records[0]?.occupants).toEqual(["ml/a/c", "ml/b/c"]);
  expect(reading.tally).toMatchObject({ duplicates: 1, conflicts: 0 });
});

test("a shared GPU whose exporter adds what each pod uses keeps the value of the whole GPU, and each pod's", () => {
  const pod = (name: string, vgpu: number) =>
    `,pod="${name}",namespace="ml",container="c",pod_uid="u-${name}",vgpu="${vgpu}"`;
  const name = "DCGM_FI_DEV_FB_USED";
  const lines = [
    sample(name, 30_000),
    sample(name, 9000, pod("a", 0)),
    sample(name, 20_000, pod("b", 1)),
    sample(name, 0, pod("c", 2)),
  ];
  for (const ordered of [lines, lines.toReversed()]) {
    const reading = openTarget()(textOf(...ordered));
    expect(valuesOn(reading, "GPU-1")).toEqual({
      ...{ memory_used_mb: 30_000, 'memory_used_mb{vgpu="0"}': 9000 },
      ...{ 'memory_used_mb{vgpu="1"}': 20_000, 'memory_used_mb{vgpu="2"}': 0 },
    });
    expect(reading.records[0]?.occupants).toEqual(["ml/a/c", "ml/b/c", "ml/c/c"]);
    expect(reading.tally.conflicts).toBe(0);
  }
});

test("the board's values that repeat for each MIG instance are the GPU's, once", () => {
  const mig = (id: number) => `,GPU_I_ID="${id}",GPU_I_PROFILE="1g.10gb",pod="p${id}",namespace="ml",container="c"`;
  const reading = openTarget()(
    textOf(
      ...[1, 2].flatMap((id) => [
        sample("DCGM_FI_DEV_POWER_USAGE", 300, mig(id)),
        sample("DCGM_FI_DEV_FB_USED", id, mig(id)),
      ]),
    ),
  );
  expect(valuesOn(reading, "GPU-1")).toEqual({ power_draw: 300 });
  expect(valuesOn(reading, "GPU-1:mig:1:1g.10gb")).toEqual({ memory_used_mb: 1 });
  expect(valuesOn(reading, "GPU-1:mig:2:1g.10gb")).toEqual({ memory_used_mb: 2 });
  const occupants = Object.fromEntries(reading.records.map((record) => [record.gpu.uuid, record.occupants]));
  expect(occupants).toEqual({ "GPU-1": [], "GPU-1:mig:1:1g.10gb": ["ml/p1/c"], "GPU-1:mig:2:1g.10gb": ["ml/p2/c"] });
});

test("through Prometheus, exported_pod names the workload, and pod the exporter", () => {
  const held =
    ',pod="dcgm-exporter-x",namespace="monitoring",exported_pod="job-7",exported_namespace="ml",exported_container="t"';
  const free = ',pod="dcgm-exporter-x",namespace="monitoring",container="exporter"';
  expect(openTarget()(textOf(sample("DCGM_FI_DEV_GPU_TEMP", 60, held))).records[0]?.occupants).toEqual(["ml/job-7/t"]);
  expect(openTarget()(textOf(sample("DCGM_FI_DEV_GPU_TEMP", 60, free))).records[0]?.occupants).toEqual([]);
});

test.each(["localhost", "LOCALHOST", "127.0.0.1", "nvidia-dcgm-exporter-7x2kq", ""])(
  "an exporter that calls its host %p is on the target's host",
  (name) => {
    const text = sample("DCGM_FI_DEV_GPU_TEMP", 60).replace('Hostname="node-7"', `hostname="${name}"`);
    expect(openTarget({ host: "node-9" })(textOf(text)).records[0]?.gpu.hostname).toBe("node-9");
  },
);

test.each([
  ['instance="10.0.0.7:9400"', "10.0.0.7"],
  ['instance="[fd00::7]:9400"', "fd00::7"],
  ['instance="gpu-7"', "gpu-7"],
  ['instance="localhost:9400"', "node-9"],
  ['instance="10.0.0.7:9400",node="gpu-7"', "gpu-7"],
  ['kubernetes_node="gpu-7"', "gpu-7"],
])("of hosts that Prometheus hands on, one that does not know its name has that of the label %s", (label, host) => {
  for (const name of ["localhost", "nvidia-dcgm-exporter-7x2kq"]) {
    const text = sample("DCGM_FI_DEV_GPU_TEMP", 60, `,${label}`).replace('Hostname="node-7"', `Hostname="${name}"`);
    expect(openTarget({ host: "node-9" })(textOf(text)).records[0]?.gpu.hostname).toBe(host);
  }
  const known = sample("DCGM_FI_DEV_GPU_TEMP", 60, `,${label}`);
  expect(openTarget({ host: "node-9" })(textOf(known)).records[0]?.gpu.hostname).toBe("node-7");
});

describe("a number that means 'no value' does so by the width of its field", () => {
  test.each([
    ["DCGM_FI_DEV_GPU_TEMP", 2147483632],
    ["DCGM_FI_DEV_GPU_TEMP", "NaN"],
    ["DCGM_FI_DEV_FB_USED_BYTES", 9223372036854775794],
    ["DCGM_FI_DEV_POWER_USAGE", "140737488355328.000000"],
    ["DCGM_FI_DEV_MEMORY_UTIL_RATIO", "140737488355328.000000"],
  ])("%s %p is missing", (name, value) => {
    const reading = openTarget()(textOf(sample(name, value)));
    expect(reading).toMatchObject({ samples: 0, rejected: 0, tally: { missing: 1 }, records: [] });
  });

  test.each([
    ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 2147483632, { total_energy_mj: 2147483632 }],
    ["DCGM_FI_DEV_FB_FREE_BYTES", 2147483632, { memory_free_mb: 2147483632 / 2 ** 20 }],
    ["DCGM_FI_DEV_POWER_USAGE", 255, { power_draw: 255 }],
  ])("%s %p is a value", (name, value, expected) => {
    expect(valuesOn(openTarget()(textOf(sample(name, value))), "GPU-1")).toEqual(expected);
  });

  test("infinities and impossible numbers are rejected with their line", () => {
    const reading = openTarget()(
      textOf(
        "# EOF-like",
        sample("DCGM_FI_DEV_GPU_TEMP", "+Inf", ',mark="{ \\"} 7"'),
        sample("DCGM_FI_DEV_GPU_TEMP", "345.0 1795690800000"),
        sample("DCGM_FI_DEV_MY_GAUGE", "-inf"),
      ),
    );
    expect(reading.rejections.map(({ line, reason, value, raw }) => [line, reason, value, raw.slice(0, 20)])).toEqual([
      [2, "invalid_value", "+Inf", "DCGM_FI_DEV_GPU_TEMP"],
      [3, "value_out_of_range", "345.0", "DCGM_FI_DEV_GPU_TEMP"],
      [4, "invalid_value", "-inf", "DCGM_FI_DEV_MY_GAUGE"],
    ]);
    const [infinity, outside] = reading.rejections;
    expect(infinity?.message).toBe('The value "+Inf" of temperature is not finite; only finite numbers are stored.');
    expect(outside?.message).toContain('The value "345.0" of temperature is outside its range');
  });
});

test("what is not about GPUs is ignored and counted: Go's metrics, histograms, the exporter itself, CPUs and switches", () => {
  const reading = openTarget()(
    textOf(
      "go_goroutines 12",
      "process_cpu_seconds_total 5",
      "# TYPE DCGM_EXP_LATENCY histogram",
      'DCGM_EXP_LATENCY_bucket{UUID="GPU-1",gpu="0",le="1"} 3',
      "# TYPE DCGM_EXP_XID counter",
      'DCGM_EXP_XID_created{UUID="GPU-1",gpu="0"} 1795690800.5',
      'DCGM_FI_DEV_CPU_UTIL_TOTAL{cpu="0",Hostname="node-7"} 5',
      'DCGM_FI_DEV_NVSWITCH_TEMP{nvswitch="1",Hostname="node-7"} 40',
      sample("DCGM_FI_DEV_GPU_TEMP", 60),
    ),
  );
  expect(reading).toMatchObject({ samples: 1, ignored: 6, rejected: 0, devices: 1 });
});

test("a link has only its GPU's uuid; the index comes from other series", () => {
  const link =
    'DCGM_FI_DEV_NVLINK_THROUGHPUT_TOTAL{nvlink="3",nvswitch="0",gpu_uuid="GPU-1",model_name="H100",hostname="node-7"} 5';
  const reading = openTarget()(textOf(link, sample("DCGM_FI_DEV_GPU_TEMP_CELSIUS", 60)));
  expect(reading).toMatchObject({ devices: 1, rejected: 0 });
  expect(valuesOn(reading, "GPU-1")).toMatchObject({ nvlink_bandwidth_total: 5, temperature: 60 });
});

test("a sample's own timestamp is its instant, unless it lies in the future", () => {
  const times = [dueMs - 5000, dueMs + 60_000].map((ms) =>
    openTarget()(textOf(`${sample("DCGM_FI_DEV_GPU_TEMP", 60)} ${ms}`)),
  );
  expect(times.map(({ records }) => records[0]?.timeMs)).toEqual([dueMs - 5000, dueMs]);
});

test("the target's labels are properties of its GPUs, unless the exporter has them", () => {
  const target = openTarget({ labels: { rack: "r1", pci_bus_id: "x" } });
  const reading = target(textOf(sample("DCGM_FI_DEV_GPU_TEMP", 60, ',pci_bus_id="0000:53"')));
  expect(reading.records[0]?.gpu.properties).toEqual({ rack: "r1", pci_bus_id: "0000:53" });
});

test("a metric outside the catalogue keeps its spelling", () => {
  const reading = openTarget()(textOf(sample("DCGM_FI_DEV_FAN_SPEED_RATIO", 0.4)));
  expect(valuesOn(reading, "GPU-1")).toEqual({ DCGM_FI_DEV_FAN_SPEED_RATIO: 0.4 });
});

test("a sample of a known metric without an identity is rejected alone, with what is missing", () => {
  const reading = openTarget()(textOf('DCGM_FI_DEV_GPU_TEMP{gpu="0"} 60', sample("DCGM_FI_DEV_GPU_TEMP", 61)));
  expect(reading).toMatchObject({ samples: 1, rejected: 1 });
  expect(reading.rejections[0]).toMatchObject({ line: 1, byte: 0, reason: "missing_field", field: "UUID" });
});

describe("the end of an exposition that may have been cut off", () => {
  const first = sample("DCGM_FI_DEV_GPU_TEMP", 65);
  const last = sample("DCGM_FI_DEV_POWER_USAGE", 312);
  const cases: readonly (readonly [
    what: string,
    text: string,
    read: { isCut: boolean; samples: number; rejected: number },
    format?: "text" | "openmetrics",
  ])[] = [
    ["a line end", `${first}\n${last}\n`, { isCut: false, samples: 2, rejected: 0 }],
    ["a number", `${first}\n${last}`, { isCut: true, samples: 1, rejected: 1 }],
    ["half of CR LF", `${first}\r\n${last}\r`, { isCut: true, samples: 1, rejected: 1 }],
    ["a label", `${first}\n${last.slice(0, 60)}`, { isCut: true, samples: 1, rejected: 1 }],
    ["a comment", `${first}\n# HELP DCGM_FI_DEV_PO`, { isCut: true, samples: 1, rejected: 0 }],
    ["blanks", `${first}\n  `, { isCut: false, samples: 1, rejected: 0 }],
    ["# EOF without a line end", `${first}\n# EOF`, { isCut: false, samples: 1, rejected: 0 }],
    ["OpenMetrics without # EOF", `${first}\n`, { isCut: true, samples: 1, rejected: 0 }, "openmetrics"],
  ];
  for (const [what, text, expected, format] of cases) {
    test(what, () => {
      const { isCut, samples, rejected } = openTarget()(Buffer.from(text), format);
      expect({ isCut, samples, rejected }).toEqual(expected);
    });
  }
});
