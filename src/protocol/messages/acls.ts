// Access control lists: describe, create, delete. KIP-140, KIP-290 prefixed patterns.

import { api, array, int8, int16, int32, string } from '../dsl.ts'

export const DescribeAcls = api(
  29,
  'DescribeAcls',
  { valid: '1-3', flexible: '2+', listeners: ['broker', 'controller'] },
  {
    request: {
      resourceTypeFilter: int8(),
      resourceNameFilter: string({ nullable: true }),
      patternTypeFilter: int8({ default: 3 }),
      principalFilter: string({ nullable: true }),
      hostFilter: string({ nullable: true }),
      operation: int8(),
      permissionType: int8(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      resources: array({
        resourceType: int8(),
        resourceName: string(),
        patternType: int8({ default: 3 }),
        acls: array({
          principal: string(),
          host: string(),
          operation: int8(),
          permissionType: int8(),
        }),
      }),
    },
  },
)

export const CreateAcls = api(
  30,
  'CreateAcls',
  { valid: '1-3', flexible: '2+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      creations: array({
        resourceType: int8(),
        resourceName: string(),
        resourcePatternType: int8({ default: 3 }),
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      results: array({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      }),
    },
  },
)

export const DeleteAcls = api(
  31,
  'DeleteAcls',
  { valid: '1-3', flexible: '2+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      filters: array({
        resourceTypeFilter: int8(),
        resourceNameFilter: string({ nullable: true }),
        patternTypeFilter: int8({ default: 3 }),
        principalFilter: string({ nullable: true }),
        hostFilter: string({ nullable: true }),
        operation: int8(),
        permissionType: int8(),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      filterResults: array({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        matchingAcls: array({
          errorCode: int16(),
          errorMessage: string({ nullable: true }),
          resourceType: int8(),
          resourceName: string(),
          patternType: int8({ default: 3 }),
          principal: string(),
          host: string(),
          operation: int8(),
          permissionType: int8(),
        }),
      }),
    },
  },
)
