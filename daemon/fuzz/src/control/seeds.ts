import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const CONFIG = fileURLToPath(new URL('../../../../config/', import.meta.url));

/** Resources as users write them: the scenarios, and each kind with every field. */
export const RESOURCE_TEXTS: readonly string[] = [
  `apiVersion: vrouter/v1
kind: VirtualNetwork
metadata: {name: blue, project: p, domain: d, labels: {a: b}, uuid: f8659136-1178-4a5c-9d3e-0c1b2a394857}
spec:
  forwardingMode: l2_l3
  subnets:
    - prefix: 5.5.5.0/24
      gateway: 5.5.5.1
      serviceAddress: 5.5.5.2
      enableDhcp: true
      addrFromStart: true
      allocationPools: [{start: 5.5.5.10, end: 5.5.5.20}, {start: 5.5.5.30, end: 5.5.5.30}]
      hostRoutes: [{prefix: 9.9.9.0/24, nextHop: 5.5.5.9}]
      dnsServers: [8.8.8.8]
      domainName: example.org
    - {prefix: 'fd00:5::/64'}
  vxlanId: 5
  floodUnknownUnicast: true
  mtu: 1450
  policies: [web, d:p:web]
  rpf: disable
  portSecurity: false
  fatFlows:
    - {protocol: tcp, port: 80, ignoreAddress: destination}
    - {protocol: udp, sourcePrefix: 5.5.5.0/24, sourceAggregateLength: 26}
    - {protocol: 58, destinationPrefix: 'fd00:5::/64', destinationAggregateLength: 128}
`,
  `apiVersion: vrouter/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  rules:
    - action: deny
      protocol: tcp
      direction: '>'
      source: {virtualNetwork: blue, ports: [80, 8000-8080]}
      destination: {subnet: 5.5.5.0/24, ports: any}
      log: true
    - {protocol: icmp6, source: {any: true}, destination: {subnet: 'fd00:5::/64'}}
    - {protocol: 47}
---
apiVersion: vrouter/v1
kind: SecurityGroup
metadata: {name: web, labels: {a: b}}
spec:
  ingress:
    - {protocol: tcp, ports: ['443', 1-1024], remotePrefix: 0.0.0.0/0}
    - {protocol: icmp, icmpType: 8, icmpCode: 0, remotePrefix: '::/0'}
    - {remoteGroup: self}
    - {protocol: 132, remoteGroup: d:p:other}
  egress: []
`,
  `apiVersion: vrouter/v1
kind: VirtualMachineInterface
metadata: {name: d:p:vm1}
spec:
  virtualNetwork: blue
  host: h1
  attach: {type: netns, netns: g1, ifName: eth0, device: tap0, port: veth, configure: true, queues: 1, offloads: false}
  mac: 02:00:00:00:00:01
  addresses: [5.5.5.3, fd00:5::3]
  hostName: guest
  securityGroups: [web]
  packetMode: true
  portSecurity: false
  maxFlows: 100
  fatFlows: [{protocol: sctp, port: 0}, {protocol: 17, port: 53, ignoreAddress: source}]
---
apiVersion: vrouter/v1
kind: VirtualMachineInterface
metadata: {name: vm2}
spec: {virtualNetwork: blue, attach: {type: tap, device: tap1, owner: root, group: 0, queues: 256}}
---
{apiVersion: vrouter/v1, kind: VirtualMachineInterface, metadata: {name: vm3}, spec: {virtualNetwork: b, attach: {type: device, device: mondp0}}}
`,
  ...readdirSync(`${CONFIG}scenarios`).map((name) => readFileSync(`${CONFIG}scenarios/${name}`, 'utf8')),
];

/** Configuration files: the example, and one with every field. */
export const CONFIG_TEXTS: readonly string[] = [
  readFileSync(`${CONFIG}vrouterd.example.yaml`, 'utf8'),
  `host: h1
stateDir: /var/lib/vrouterd
api: {socket: /run/a.sock}
tunnel: {address: 10.0.0.1, interface: eth0, encapsulations: [VXLAN], mtu: 1500}
redis: {url: 'rediss://h:6379/2', username: u, password: p}
redisPrefix: 'v:'
datapath: {agentRate: 1, agentBurst: 2, flowEntries: 1024, flowOverflow: 5, flowsPerInterface: 2}
flowAgeing: [{protocol: tcp, port: 22, seconds: 3600}, {protocol: udp, seconds: 5}]
sessions: {}
logLevel: debug
metrics: {listen: '127.0.0.1:9090'}
`,
];
