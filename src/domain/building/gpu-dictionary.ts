import { combined, type Gpu } from "../gpu.ts";

const noIndex = -1;

/** The GPUs of a batch that is being built, each with the attributes of a row, or of several rows of one instant. A **place** is
 *  a uuid on a host: records of one uuid on two hosts are kept apart until the batch is built.
 *
 *  Most batches have one host and one set of attributes for each uuid, so a new GPU costs one look-up by uuid. */
export class GpuDictionary {
  readonly gpus: Gpu[] = [];
  private readonly placeByIndex: number[] = [];
  /** The index of the first GPU of each place. */
  private readonly firstByPlace: number[] = [];
  /** The place of each uuid's first host. */
  private readonly placeByUuid = new Map<string, number>();
  /** The places of uuids on further hosts, by uuid and host. */
  private readonly otherPlaces = new Map<string, number>();
  /** The GPUs that are not the first of their place. */
  private readonly otherIndexes = new Map<Gpu, number>();
  private readonly combinations = new Map<string, number>();

  /** @param hint the GPU's index in an earlier batch; if the index in this batch is the same, no search is needed */
  indexOf(gpu: Gpu, hint: number): number {
    if (this.gpus[hint] === gpu) return hint;
    const place = this.findOrAddPlace(gpu);
    const first = this.firstByPlace[place];
    if (first === undefined) return (this.firstByPlace[place] = this.add(gpu, place));
    if (this.gpus[first] === gpu) return first;
    const existing = this.otherIndexes.get(gpu);
    if (existing !== undefined) return existing;
    const index = this.add(gpu, place);
    this.otherIndexes.set(gpu, index);
    return index;
  }

  /** The number of the GPU's place. */
  placeOf(index: number): number {
    return this.placeByIndex[index] as number;
  }

  /** @returns the index of the GPU that combines the attributes of GPUs `a` and `b`, which are of the same place */
  combinationOf(a: number, b: number): number {
    const key = `${a} ${b}`;
    const known = this.combinations.get(key);
    if (known !== undefined) return known;
    const [gpuA, gpuB] = [this.gpus[a] as Gpu, this.gpus[b] as Gpu];
    const gpu = combined(gpuA, gpuB);
    const index = gpu === gpuA ? a : gpu === gpuB ? b : this.indexOf(gpu, noIndex);
    this.combinations.set(key, index);
    return index;
  }

  /** The UUIDs that several hosts have reported. */
  uuidsOfSeveralHosts(): Set<string> {
    return new Set(
      Array.from(this.otherPlaces.values(), (place) => this.gpus[this.firstByPlace[place] ?? noIndex]?.uuid ?? ""),
    );
  }

  /** @param gpuIndexes for each record, an index of this dictionary
   *  @returns the distinct GPUs in the order of their first records, and for each record, the index of its GPU */
  used(gpuIndexes: readonly number[]): { readonly gpus: readonly Gpu[]; readonly gpuIndexes: Uint32Array } {
    // each place has one set of attributes, and at least one record
    if (this.otherIndexes.size === 0) return { gpus: this.gpus, gpuIndexes: Uint32Array.from(gpuIndexes) };
    const gpus: Gpu[] = [];
    const indexByKey = new Map<string, number>();
    const newIndexes = this.gpus.map(() => noIndex);
    const newIndexOf = (index: number): number => {
      const known = newIndexes[index] as number;
      if (known !== noIndex) return known;
      const gpu = this.gpus[index] as Gpu;
      const key = contentKey(gpu);
      const newIndex = indexByKey.get(key) ?? gpus.push(gpu) - 1;
      indexByKey.set(key, newIndex);
      newIndexes[index] = newIndex;
      return newIndex;
    };
    return { gpuIndexes: Uint32Array.from(gpuIndexes, newIndexOf), gpus };
  }

  private findOrAddPlace({ uuid, hostname }: Gpu): number {
    const place = this.placeByUuid.get(uuid);
    if (place === undefined) {
      this.placeByUuid.set(uuid, this.firstByPlace.length);
      return this.firstByPlace.length;
    }
    if (this.gpus[this.firstByPlace[place] as number]?.hostname === hostname) return place;
    const key = JSON.stringify([uuid, hostname]);
    const other = this.otherPlaces.get(key) ?? this.firstByPlace.length;
    this.otherPlaces.set(key, other);
    return other;
  }

  private add(gpu: Gpu, place: number): number {
    this.placeByIndex.push(place);
    return this.gpus.push(gpu) - 1;
  }
}

function contentKey({ uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties }: Gpu): string {
  const entries = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, entries]);
}
