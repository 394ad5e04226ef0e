import { isMigInstance, migInstanceOf } from "../../../domain/mig-instance.ts";
import { nameMaxLength } from "../../schemas/envelope.ts";
import { notUsable, type Parameter, text } from "./parameter.ts";

const form = /^(\d{1,7})(?::mig:(.+)|:([Mm][Ii][Gg]-.+))?$/s;
const { kind, schema, description } = text({
  maxLength: nameMaxLength,
  description:
    "Index of the GPU on its host, such as 4; for a MIG instance of the GPU, such as 4:mig:3, with the instance's id, or with its " +
    "uuid if that is NVIDIA's (4:MIG-...)",
  example: "4",
});

/** The path parameter of a place on a host: that of a GPU, or of a MIG instance on its GPU. */
export const slotParameter: Parameter<string> = {
  kind,
  schema: { ...schema, pattern: "^\\d{1,7}(:mig:.+|:[Mm][Ii][Gg]-.+)?$" },
  description,
  expected: "1 to 7 digits, for a MIG instance followed by :mig: and its id, or by : and its uuid MIG-...",
  read: (given) => (given.length <= nameMaxLength && form.test(given) ? { value: given } : notUsable),
  absent: undefined,
};

/** A place on a host, as `slotParameter` names it. */
export interface Slot {
  readonly gpuId: number;
  /** The id of a MIG instance; undefined for a GPU. */
  readonly instanceId: string | undefined;
  /** The uuid of a MIG instance whose uuid is NVIDIA's. */
  readonly instanceUuid: string | undefined;
}

/** @param slot a value of `slotParameter` */
export function readSlot(slot: string): Slot {
  const [, gpuId, instanceId, instanceUuid] = form.exec(slot) ?? [];
  return { gpuId: Number(gpuId), instanceId, instanceUuid };
}

/** True if a device that has the slot's index is the one in the slot. */
export function isInSlot({ instanceId, instanceUuid }: Slot, uuid: string): boolean {
  if (instanceUuid !== undefined) return uuid === instanceUuid;
  return instanceId === undefined ? !isMigInstance(uuid) : migInstanceOf(uuid)?.instanceId === instanceId;
}
