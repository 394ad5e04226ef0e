import protobuf from "protobufjs";
import { compress } from "snappyjs";

/** A series of a request. */
export interface SentSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [value: number, timeMs: number])[];
  readonly help?: string;
  readonly histograms?: number;
  readonly exemplars?: number;
}

export type SentProtocol = "1.0" | "2.0";

const typeIn = async (file: string, name: string): Promise<protobuf.Type> =>
  protobuf.parse(await Bun.file(`${import.meta.dir}/${file}`).text()).root.lookupType(name);
const Request1 = await typeIn("write-1.proto", "prometheus.WriteRequest");
const Request2 = await typeIn("write-2.proto", "io.prometheus.write.v2.Request");

/** The bits of the value at which a series ends. */
const staleBytes = new Uint8Array([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
/** Stands for it until the message is written: protobufjs writes one bit pattern for all NaN. */
const standIn = -7.125e-301;

const samplesOf = (series: SentSeries) =>
  series.samples.map(([value, timestamp]) => ({ value: Object.is(value, staleValue) ? standIn : value, timestamp }));

/** Use it as the value of a sample. */
export const staleValue = standIn;

const others = ({ histograms = 0, exemplars = 0 }: SentSeries) => ({
  histograms: Array.from({ length: histograms }, () => ({ countInt: 3, sum: 1, timestamp: 1 })),
  exemplars: Array.from({ length: exemplars }, () => ({ value: 1, timestamp: 1 })),
});

function message1(series: readonly SentSeries[]): Uint8Array {
  const timeseries = series.map((each) => ({
    labels: Object.entries(each.labels).map(([name, value]) => ({ name, value })),
    samples: samplesOf(each),
    ...others(each),
  }));
  const metadata = series.flatMap(({ help, labels }) =>
    help === undefined ? [] : [{ type: 2, metricFamilyName: labels["__name__"], help }],
  );
  return Request1.encode(Request1.create({ timeseries, metadata })).finish();
}

function message2(series: readonly SentSeries[]): Uint8Array {
  const symbols = [""];
  const refOf = (text: string): number => {
    const known = symbols.indexOf(text);
    return known === -1 ? symbols.push(text) - 1 : known;
  };
  const timeseries = series.map((each) => ({
    labelsRefs: Object.entries(each.labels).flatMap(([name, value]) => [refOf(name), refOf(value)]),
    samples: samplesOf(each),
    ...others(each),
    ...(each.help === undefined ? {} : { metadata: { type: 2, helpRef: refOf(each.help) } }),
  }));
  return Request2.encode(Request2.create({ symbols, timeseries })).finish();
}

/** A message that a Prometheus would send, made from the .proto files by another library than the one that reads it. */
export function messageFor(protocol: SentProtocol, series: readonly SentSeries[]): Uint8Array {
  const bytes = Buffer.from(protocol === "1.0" ? message1(series) : message2(series));
  const mark = Buffer.alloc(8);
  mark.writeDoubleLE(standIn);
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark)) bytes.set(staleBytes, at);
  return new Uint8Array(bytes);
}

/** The headers that the specifications ask of a sender. */
export function headersFor(protocol: SentProtocol): Record<string, string> {
  return {
    "content-encoding": "snappy",
    "content-type":
      protocol === "1.0" ? "application/x-protobuf" : "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "x-prometheus-remote-write-version": protocol === "1.0" ? "0.1.0" : "2.0.0",
    "user-agent": "test",
  };
}

export const packed = (message: Uint8Array): Uint8Array => compress(message);
