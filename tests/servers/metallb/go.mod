module metallb-tools

go 1.26.8

require go.universe.tf/metallb v0.16.2
