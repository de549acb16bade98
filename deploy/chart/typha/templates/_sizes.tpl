{{/* One server below 50 nodes; else one for each 1,000 nodes, and one that may be missing. */}}
{{- define "typha.replicas" -}}
{{- if not (kindIs "invalid" .Values.replicas) }}
{{- int .Values.replicas }}
{{- else if lt (int .Values.nodes) 50 }}
{{- 1 }}
{{- else }}
{{- add 1 (div (add (int .Values.nodes) 999) 1000) }}
{{- end }}
{{- end }}

{{/* MiB in steps of 32: the formula of `typha doctor` (docs/deployment.md, Sizes), for one server while another is
missing: 69 MB for the process, for each object 460 B and 850 B of key and value (the mean of Calico's feed), 45 kB for
each agent over TLS, and 40 % of that for work. */}}
{{- define "typha.memory" -}}
{{- $others := max 1 (sub (int (include "typha.replicas" .)) 1) }}
{{- $agents := div (add (mul (int .Values.nodes) (int .Values.agentsPerNode)) (sub $others 1)) $others }}
{{- $objects := mul (int .Values.nodes) (int .Values.objectsPerNode) }}
{{- $atRest := add 69000000 (mul 1310 $objects) (mul 45000 $agents) }}
{{- $needed := div (mul 14 $atRest) 10 }}
{{- mul 32 (div (add $needed 33554431) 33554432) }}
{{- end }}

{{- define "typha.resources" -}}
{{- if .Values.resources }}
{{- toYaml .Values.resources }}
{{- else }}
{{- $memory := int (include "typha.memory" .) -}}
requests: {cpu: {{ ternary "50m" "200m" (lt (int .Values.nodes) 50) }}, memory: {{ $memory }}Mi}
limits: {memory: {{ mul 2 $memory }}Mi}
{{- end }}
{{- end }}
