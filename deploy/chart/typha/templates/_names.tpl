{{- define "typha.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "typha.fullname" -}}
{{- $name := include "typha.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "typha.selectorLabels" -}}
app.kubernetes.io/name: {{ include "typha.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "typha.labels" -}}
{{ include "typha.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "typha.metadata" -}}
name: {{ include "typha.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "typha.labels" . | nindent 2 }}
{{- end }}

{{- define "typha.clusterMetadata" -}}
name: {{ include "typha.fullname" . }}
labels:
  {{- include "typha.labels" . | nindent 2 }}
{{- end }}

{{- define "typha.serviceAccountName" -}}
{{- default (include "typha.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "typha.priorityClassName" -}}
{{- default (include "typha.fullname" .) .Values.priorityClass.name }}
{{- end }}

{{- define "typha.image" -}}
{{- $repository := .Values.image.repository }}
{{- with .Values.image.registry }}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}
{{- end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}
