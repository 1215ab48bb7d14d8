// Configuration of topics, brokers, groups and client metrics: describe, replace, edit, list.
// KIP-133, KIP-226 synonyms and sources, KIP-339 incremental edits, KIP-1142 listing of resources.

import { api, array, bool, int8, int16, int32, string } from '../dsl.ts'

export const DescribeConfigs = api(
  32,
  'DescribeConfigs',
  { valid: '1-4', flexible: '4+', listeners: ['broker', 'controller'] },
  {
    request: {
      resources: array({
        resourceType: int8(),
        resourceName: string(),
        configurationKeys: array(string(), { nullable: true }),
      }),
      includeSynonyms: bool(),
      includeDocumentation: bool({ v: '3+' }),
    },
    response: {
      throttleTimeMs: int32(),
      results: array({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        resourceType: int8(),
        resourceName: string(),
        configs: array({
          name: string(),
          value: string({ nullable: true }),
          readOnly: bool(),
          configSource: int8({ default: -1, ignorable: true }),
          isSensitive: bool(),
          synonyms: array(
            {
              name: string(),
              value: string({ nullable: true }),
              source: int8(),
            },
            { ignorable: true },
          ),
          configType: int8({ v: '3+', ignorable: true }),
          documentation: string({ v: '3+', nullable: true, ignorable: true }),
        }),
      }),
    },
  },
)

export const AlterConfigs = api(
  33,
  'AlterConfigs',
  { valid: '0-2', flexible: '2+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      resources: array({
        resourceType: int8(),
        resourceName: string(),
        configs: array({
          name: string(),
          value: string({ nullable: true }),
        }),
      }),
      validateOnly: bool(),
    },
    response: {
      throttleTimeMs: int32(),
      responses: array({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        resourceType: int8(),
        resourceName: string(),
      }),
    },
  },
)

export const IncrementalAlterConfigs = api(
  44,
  'IncrementalAlterConfigs',
  { valid: '0-1', flexible: '1+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      resources: array({
        resourceType: int8(),
        resourceName: string(),
        configs: array({
          name: string(),
          configOperation: int8(),
          value: string({ nullable: true }),
        }),
      }),
      validateOnly: bool(),
    },
    response: {
      throttleTimeMs: int32(),
      responses: array({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        resourceType: int8(),
        resourceName: string(),
      }),
    },
  },
)

export const ListConfigResources = api(
  74,
  'ListConfigResources',
  { valid: '0-1', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      resourceTypes: array(int8(), { v: '1+' }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      configResources: array({
        resourceName: string(),
        resourceType: int8({ v: '1+', default: 16, ignorable: true }),
      }),
    },
  },
)
