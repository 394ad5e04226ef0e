import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import type { DeadLetterPage } from "../../answers/dead-letters.ts";
import { deadLettersQuery, letterParams } from "./pipeline-routes.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { deadLetterSchema } from "../../schemas/dead-letter.ts";

/** The queries for dead letters. */
export function deadLetterFields({ types, field }: SchemaKit): FieldMap {
  return {
    deadLetters: field({
      scope: "read",
      selectors: "refused",
      type: new GraphQLNonNull(pageType(types)),
      description: "Dead letters, oldest first",
      takes: deadLettersQuery,
      size: limitOf,
      resolve: (_, { limit, cursor }, { allParts }) => allParts.deadLetters.page(limit, cursor),
    }),
    deadLetter: field({
      scope: "read",
      selectors: "refused",
      type: types.of(deadLetterSchema),
      description: "The dead letter with this id; an error if it does not exist",
      takes: letterParams,
      resolve: (_, { id }, { allParts }) => allParts.deadLetters.show(id),
    }),
  };
}

/** The mutations that redrive and delete dead letters. */
export function deadLetterMutations({ types, field }: SchemaKit): FieldMap {
  return {
    redriveDeadLetter: field({
      scope: "operate",
      type: new GraphQLNonNull(types.of(deadLetterSchema)),
      description: "Puts a message back into the queue with 0 attempts; returns the dead letter as it was",
      takes: letterParams,
      resolve: (_, { id }, { allParts }) => allParts.deadLetters.redrive(id),
    }),
    redriveDeadLetters: field({
      scope: "operate",
      type: types.listOf(deadLetterSchema),
      description:
        "Puts the messages of the oldest dead letters back into the queue, at most limit messages; returns the dead letters as they were",
      takes: { limit: deadLettersQuery.limit },
      size: limitOf,
      resolve: (_, { limit }, { allParts }) => allParts.deadLetters.redriveOldest(limit),
    }),
    deleteDeadLetter: field({
      scope: "operate",
      type: new GraphQLNonNull(types.of(deadLetterSchema)),
      description: "Deletes a message permanently, with the records that it carries; returns the dead letter as it was",
      takes: letterParams,
      resolve: (_, { id }, { allParts }) => allParts.deadLetters.delete(id),
    }),
  };
}

function pageType(types: SchemaKit["types"]): GraphQLObjectType {
  return new GraphQLObjectType<DeadLetterPage>({
    name: "DeadLetterPage",
    description: "A part of the list of dead letters",
    fields: {
      letters: { type: types.listOf(deadLetterSchema), extensions: { size: () => 1 } },
      nextCursor: {
        type: GraphQLString,
        description: "The cursor of the next part; null at the end",
        resolve: ({ next }) => next,
      },
    },
  });
}
