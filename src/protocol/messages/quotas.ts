// Client quotas by user, client id and address: describe and alter. KIP-546, KIP-612.

import { api, array, bool, float64, int8, int16, int32, string } from '../dsl.ts'

export const DescribeClientQuotas = api(
  48,
  'DescribeClientQuotas',
  { valid: '0-1', flexible: '1+', listeners: ['broker'] },
  {
    request: {
      components: array({
        entityType: string(),
        matchType: int8(),
        match: string({ nullable: true }),
      }),
      strict: bool(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      entries: array(
        {
          entity: array({
            entityType: string(),
            entityName: string({ nullable: true }),
          }),
          values: array({
            key: string(),
            value: float64(),
          }),
        },
        { nullable: true },
      ),
    },
  },
)

export const AlterClientQuotas = api(
  49,
  'AlterClientQuotas',
  { valid: '0-1', flexible: '1+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      entries: array({
        entity: array({
          entityType: string(),
          entityName: string({ nullable: true }),
        }),
        ops: array({
          key: string(),
          value: float64(),
          remove: bool(),
        }),
      }),
      validateOnly: bool(),
    },
    response: {
      throttleTimeMs: int32(),
      entries: array({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        entity: array({
          entityType: string(),
          entityName: string({ nullable: true }),
        }),
      }),
    },
  },
)
