import { Type } from "@sinclair/typebox";
import { type MigInstance, migInstanceOf } from "../../domain/mig-instance.ts";

/** The fields of a MIG instance, in records and in lists of GPUs; a GPU has none of them. */
export const migFields = {
  parent_uuid: Type.Optional(
    Type.String({ description: "UUID of the GPU that the MIG instance is a part of; absent for a GPU" }),
  ),
  mig_instance_id: Type.Optional(
    Type.String({ description: "Id of the MIG instance on its GPU (GPU_I_ID); absent for a GPU" }),
  ),
  mig_profile: Type.Optional(
    Type.String({
      description: "Profile of the MIG instance (GPU_I_PROFILE); empty if the input does not have it; absent for a GPU",
    }),
  ),
};

/** The fields of a MIG instance, without any for a GPU. */
export interface ApiMig {
  readonly parent_uuid?: string;
  readonly mig_instance_id?: string;
  readonly mig_profile?: string;
}

/** A device's fields as a MIG instance, in the API's shape; empty for a GPU. */
export function toApiMig(uuid: string): ApiMig {
  const instance = migInstanceOf(uuid);
  return instance === undefined ? noMig : shownAs(instance);
}

const noMig: ApiMig = {};

function shownAs({ parentUuid, instanceId, profile }: MigInstance): ApiMig {
  return { parent_uuid: parentUuid, mig_instance_id: instanceId, mig_profile: profile };
}
