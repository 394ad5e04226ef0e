import type { SelectedSeries } from "../../src/promql/series-source.ts";

// A sender of Prometheus' remote write 1.0, as far as the tests need it.
// Source: https://prometheus.io/docs/specs/prw/remote_write_spec/

/** The value of a sample at which a series ended. */
const staleBits = 0x7ff0_0000_0000_0002n;
const samplesPerRequest = 5000;

/** Writes series to a Prometheus. */
export async function remoteWrite(url: string, series: readonly SelectedSeries[]): Promise<void> {
  const samples = series.flatMap((each) => Array.from(each.timesMs, (timeMs, index) => ({ each, index, timeMs })));
  // its head takes no samples that are much older than the newest one
  samples.sort((a, b) => a.timeMs - b.timeMs);
  for (let from = 0; from < samples.length; from += samplesPerRequest) {
    const part = Map.groupBy(samples.slice(from, from + samplesPerRequest), ({ each }) => each);
    const request = [...part].map(([each, ofSeries]) =>
      field(
        1,
        seriesBytes(
          each,
          ofSeries.map(({ index }) => index),
        ),
      ),
    );
    const response = await fetch(`${url}/api/v1/write`, {
      method: "POST",
      body: snappyBlock(Buffer.concat(request)),
      headers: { "content-encoding": "snappy", "content-type": "application/x-protobuf" },
    });
    if (response.status >= 300) throw new Error(`${response.status}: ${await response.text()}`);
  }
}

function seriesBytes({ labels, timesMs, values, ends }: SelectedSeries, indexes: readonly number[]): Uint8Array {
  const ofLabels = [...labels.entries()].map(([name, text]) =>
    field(1, Buffer.concat([field(1, name), field(2, text)])),
  );
  const ofSamples = indexes.map((index) => {
    const value = Buffer.alloc(9);
    value[0] = (1 << 3) | 1;
    if (ends?.[index] === 1) value.writeBigUInt64LE(staleBits, 1);
    else value.writeDoubleLE(values[index] as number, 1);
    return field(2, Buffer.concat([value, varint((2 << 3) | 0), varint(timesMs[index] as number)]));
  });
  return Buffer.concat([...ofLabels, ...ofSamples]);
}

function field(number: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push(left >= 128 ? (left % 128) | 128 : left);
    if (left < 128) return Buffer.from(bytes);
  }
}

/** A block that is not compressed: literals only. Source: https://github.com/google/snappy/blob/main/format_description.txt */
function snappyBlock(content: Buffer): Buffer {
  const parts = [varint(content.length)];
  for (let from = 0; from < content.length; from += 65_536) {
    const literal = content.subarray(from, from + 65_536);
    parts.push(Buffer.from([61 << 2, (literal.length - 1) & 255, (literal.length - 1) >> 8]), literal);
  }
  return Buffer.concat(parts);
}
