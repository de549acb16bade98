{{/* The configuration file: what the values set, and `config`. */}}
{{- define "typha.config" -}}
{{- $config := deepCopy .Values.config }}
{{- range $key, $value := dict "listen" "ports.agents" "health" "ports.health" "admin" "ports.admin" "insecure" "tls.enabled" }}
{{- if hasKey $config $key }}
{{- fail (printf "config.%s is set by the value %s: set that one" $key $value) }}
{{- end }}
{{- end }}
{{- range list "cert" "key" "client_ca" }}
{{- if hasKey (default dict $config.tls) . }}
{{- fail (printf "config.tls.%s is set by the chart, from the Secret that tls.secretName names" .) }}
{{- end }}
{{- end }}
{{- $_ := set $config "listen" (printf "0.0.0.0:%d" (int .Values.ports.agents)) }}
{{- $_ := set $config "health" (printf "0.0.0.0:%d" (int .Values.ports.health)) }}
{{- $_ := set $config "admin" (printf "127.0.0.1:%d" (int .Values.ports.admin)) }}
{{- if not (or (hasKey $config "advertise") (hasKey (default dict $config.replicas) "service")) }}
{{- $_ := set $config "advertise" (list (printf "%s.%s.svc:%d" (include "typha.fullname" .) .Release.Namespace (int .Values.ports.agents))) }}
{{- end }}
{{- if .Values.tls.enabled }}
{{- $tls := dict "cert" "/etc/typha/tls/tls.crt" "key" "/etc/typha/tls/tls.key" }}
{{- if .Values.tls.clientCertificates }}
{{- $_ := set $tls "client_ca" "/etc/typha/tls/ca.crt" }}
{{- end }}
{{- $_ := set $config "tls" (mergeOverwrite $tls (default dict $config.tls)) }}
{{- else }}
{{- $_ := set $config "insecure" true }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/* The namespace in which the other servers' EndpointSlices must be listed; empty where they are listed anyway. */}}
{{- define "typha.peersNamespace" -}}
{{- $replicas := default dict .Values.config.replicas }}
{{- $reads := index (include "typha.reads" . | fromJson) "" | default dict }}
{{- if and $replicas.service (not (has "endpointslices" (index $reads "discovery.k8s.io" | default list))) }}
{{- default .Release.Namespace $replicas.namespace }}
{{- end }}
{{- end }}

{{/* The built-in feeds that `config` serves, as JSON: the server's own rule for `auto`. */}}
{{- define "typha.feeds" -}}
{{- $calico := default dict .Values.config.calico }}
{{- $feeds := $calico.feeds }}
{{- if or (kindIs "invalid" $feeds) (eq (toString $feeds) "auto") }}
{{- $feeds = ternary (list) (list "felix" "bgp" "tunnel-ip-allocation" "node-status") (gt (len (default dict .Values.config.topics)) 0) }}
{{- else if eq (toString $feeds) "none" }}
{{- $feeds = list }}
{{- end }}
{{- toJson $feeds }}
{{- end }}

{{/* {namespace: {group: [resource]}} of everything that is listed and watched, as JSON; namespace "" is all of them. */}}
{{- define "typha.reads" -}}
{{- $rights := .Files.Get "files/rights.json" | fromJson }}
{{- $calico := default dict .Values.config.calico }}
{{- $kind := ternary "podCidr" "ipam" (eq true (default false $calico.use_pod_cidr)) }}
{{- $all := list }}
{{- range include "typha.feeds" . | fromJsonArray }}
{{- $all = concat $all (index $rights $kind .) }}
{{- end }}
{{- $confined := list }}
{{- range $name, $topic := default dict .Values.config.topics }}
{{- $parts := splitList "/" $topic.resource }}
{{- $group := "" }}
{{- if eq (len $parts) 3 }}
{{- $group = first $parts }}
{{- else if and (eq (len $parts) 2) (not (regexMatch "^v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$" (first $parts))) }}
{{- $group = first $parts }}
{{- end }}
{{- $read := printf "%s/%s" $group (last $parts) }}
{{- if $topic.namespace }}
{{- $confined = append $confined (printf "%s/%s" $topic.namespace $read) }}
{{- else }}
{{- $all = append $all $read }}
{{- end }}
{{- end }}
{{- $reads := list }}
{{- range $all | uniq | sortAlpha }}
{{- $reads = append $reads (printf "/%s" .) }}
{{- end }}
{{- range $confined | uniq | sortAlpha }}
{{- $parts := splitList "/" . }}
{{- if not (has (printf "%s/%s" (index $parts 1) (index $parts 2)) $all) }}
{{- $reads = append $reads . }}
{{- end }}
{{- end }}
{{- $found := dict }}
{{- range $reads }}
{{- $parts := splitList "/" . }}
{{- $groups := default dict (index $found (index $parts 0)) }}
{{- $_ := set $groups (index $parts 1) (append (default list (index $groups (index $parts 1))) (index $parts 2)) }}
{{- $_ := set $found (index $parts 0) $groups }}
{{- end }}
{{- toJson $found }}
{{- end }}
