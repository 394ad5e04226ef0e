/** A MIG instance: a part of a GPU that is a device of its own. */
export interface MigInstance {
  /** The UUID of the GPU that the instance is a part of. */
  readonly parentUuid: string;
  /** The exporter's `GPU_I_ID`, e.g. `3`. */
  readonly instanceId: string;
  /** The exporter's `GPU_I_PROFILE`, e.g. `1g.10gb`; empty if the input has none. */
  readonly profile: string;
}

const separator = ":mig:";
const form = /^([A-Za-z0-9._+%-]+):mig:([A-Za-z0-9._+%-]+):([A-Za-z0-9._+%-]*)$/;

/** The uuid of a MIG instance: `{GPU's uuid}:mig:{GPU_I_ID}:{GPU_I_PROFILE}`. The exporter gives an instance the UUID of its
 *  GPU, so the instance's own identity follows from what the exporter says about it. An instance that was cut again with
 *  another profile is another device, even if its id is the same. */
export function migUuid({ parentUuid, instanceId, profile }: MigInstance): string {
  return `${encoded(parentUuid)}${separator}${encoded(instanceId)}:${encoded(profile)}`;
}

/** @returns undefined if the uuid is not one that `migUuid` makes: the device is a GPU */
export function migInstanceOf(uuid: string): MigInstance | undefined {
  if (!uuid.includes(separator)) return undefined;
  const parts = form.exec(uuid);
  if (parts === null) return undefined;
  const [parentUuid, instanceId, profile] = parts.slice(1).map(decoded);
  if (parentUuid === undefined || instanceId === undefined || profile === undefined) return undefined;
  const instance = { parentUuid, instanceId, profile };
  return migUuid(instance) === uuid ? instance : undefined;
}

/** NVIDIA's UUID of a MIG instance. */
const nvidiaUuid = /^MIG-/i;

/** True if the uuid is NVIDIA's for a MIG instance: the input has this uuid instead of that of the instance's GPU, which is not
 *  known. The device has an identity of its own already, and the index of its GPU. */
export function hasNvidiaMigUuid(uuid: string): boolean {
  return nvidiaUuid.test(uuid);
}

/** The property that has the profile of an instance whose uuid is NVIDIA's. */
export const migProfileProperty = "GPU_I_PROFILE";

/** The form of NVIDIA's uuids of MIG instances in drivers before R470. */
const olderForm = /^MIG-(GPU-[0-9a-f-]+)\/\d+\/\d+$/i;

/** The UUID of the GPU that a MIG instance is a part of; undefined for a GPU, and for an instance whose uuid does not say it. */
export function parentUuidOf(uuid: string): string | undefined {
  return migInstanceOf(uuid)?.parentUuid ?? olderForm.exec(uuid)?.[1];
}

/** True for a MIG instance, whether its GPU is known or not; false for a GPU. */
export function isMigInstance(uuid: string): boolean {
  return hasNvidiaMigUuid(uuid) || migInstanceOf(uuid) !== undefined;
}

/** What tells a MIG instance apart from its GPU and the other instances of the GPU: `:mig:3:1g.10gb`, or `:MIG-6f1c...` if its uuid
 *  is NVIDIA's; empty for a GPU. */
export function migPartOf(uuid: string): string {
  if (hasNvidiaMigUuid(uuid)) return `:${uuid}`;
  return migInstanceOf(uuid) === undefined ? "" : uuid.slice(uuid.indexOf(separator));
}

/** What the uuids of a GPU's MIG instances begin with. */
export function migUuidPrefix(parentUuid: string): string {
  return `${encoded(parentUuid)}${separator}`;
}

/** A regular expression, for PostgreSQL and JavaScript, that matches the uuids of a GPU's MIG instances. */
export function migUuidPattern(parentUuid: string): string {
  const prefix = encoded(parentUuid).replace(/[.+]/g, (character) => `\\${character}`);
  return `^${prefix}${separator}[A-Za-z0-9._+%-]+:[A-Za-z0-9._+%-]*$`;
}

/** Encodes all characters outside [A-Za-z0-9._+-] in UTF-8: each byte as a percent sign and two hexadecimal digits. */
function encoded(part: string): string {
  return part
    .toWellFormed()
    .replace(/[^A-Za-z0-9._+-]/gu, (character) =>
      Array.from(
        new TextEncoder().encode(character),
        (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
      ).join(""),
    );
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
