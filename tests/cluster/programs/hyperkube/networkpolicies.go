package main

import (
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// networkPolicies is sigs.k8s.io/kube-network-policies, whose own program cannot be imported: it tells the kernel which new connections of this
// node's Pods to let through. Its own rules, which ask for that, need a part of nftables that not every kernel has; pod-network.sh brings one that asks.
func networkPolicies() *cobra.Command {
	return &cobra.Command{Use: "kube-network-policies", RunE: func(command *cobra.Command, _ []string) error {
		config, err := rest.InClusterConfig()
		if err != nil {
			return err
		}
		client := kubernetes.NewForConfigOrDie(config)
		all := informers.NewSharedInformerFactory(client, 0)
		controller, err := networkpolicy.NewController(client, all.Networking().V1().NetworkPolicies(), all.Core().V1().Namespaces(), all.Core().V1().Pods(),
			nil, nil, nil, nil, networkpolicy.Config{NodeName: os.Getenv("NODE_NAME"), FailOpen: true})
		if err != nil {
			return err
		}
		all.Start(command.Context().Done())
		return controller.Run(command.Context())
	}}
}
