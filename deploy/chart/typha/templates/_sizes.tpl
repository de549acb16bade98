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

{{/* MiB: 96 for the process (measured 70-90), 32 for snapshots on their way, 600 B for each object, 32 KiB for each
agent over TLS, when one server is missing. In steps of 32. */}}
{{- define "typha.memory" -}}
{{- $others := max 1 (sub (int (include "typha.replicas" .)) 1) }}
{{- $agents := div (mul (int .Values.nodes) (int .Values.agentsPerNode)) $others }}
{{- $objects := mul (int .Values.nodes) (int .Values.objectsPerNode) }}
{{- $sum := add 96 32 (add 1 (div (mul $objects 600) 1048576)) (add 1 (div $agents 32)) }}
{{- mul 32 (div (add $sum 31) 32) }}
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
